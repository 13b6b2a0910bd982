import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Bind } from '../pipeline/bind.js'
import { compileEndpoint, type Handler } from '../pipeline/endpoint.js'
import { Reply, type ReplyOptions, Upgrade } from '../pipeline/reply.js'
import { type Binding, bindMember, requestSources, type Serve, type Serving } from '../pipeline/serving.js'
import { isPromise, then } from '../pipeline/settle.js'
import { readOutput } from '../pipeline/validate.js'
import type { Route } from '../routing/table.js'

export function bindHttp(route: Route, binding: Binding): Bind {
  const sources = requestSources(route.method)
  return bindMember({ route, name: route.name, key: route.member ?? '' }, { sources }, binding)
}

/** One request, one reply. */
export function compileHttp(route: Route, serving: Serving): Serve {
  const member = route.member ?? ''
  const endpoint = compileEndpoint(route, bindHttp(route, serving), serving.resolve)
  const instance = serving.resolve(route.owner as new () => Record<string, Handler>)
  const output = route.options.output as StandardSchemaV1 | undefined
  const method = (instance[member] as Handler).bind(instance)
  const handler = output === undefined ? method : checked(method, output, route.name)
  return context => {
    const fail = (error: unknown) => {
      context.settle()
      serving.refuse(context, endpoint.map(error, context))
    }
    const answer = (value: unknown) => {
      try {
        context.settle()
        serving.reply(context, value, fail)
      } catch (error) {
        fail(error)
      }
    }
    try {
      const result = then(endpoint.admit(context), () => endpoint.call(context, handler))
      if (isPromise(result)) Promise.resolve(result).then(answer, fail)
      else answer(result)
    } catch (error) {
      fail(error)
    }
  }
}

/** What says nothing (an error, a redirection, an upgrade) is not output. */
function checked(handler: Handler, output: StandardSchemaV1, name: string): Handler {
  return (...args) =>
    then(handler(...args), value => {
      if (value === undefined || value instanceof Error || value instanceof Upgrade) return value
      if (!(value instanceof Reply)) return readOutput(output, value, name)
      if (value.body === undefined) return value
      return then(readOutput(output, value.body, name), body => new Reply(body, optionsOf(value)))
    })
}

function optionsOf({ status, headers, cookies }: Reply): ReplyOptions {
  return status === undefined ? { headers, cookies } : { status, headers, cookies }
}
