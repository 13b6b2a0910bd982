/** One operation of two: a plain reply and an event stream under one path and method, of which `Accept` chooses. */
import type { JsonSchema } from './json-schema.js'
import type { Content, MediaType, Operation, Parameter, ReplyDescription, RequestBody } from './openapi-document.js'

/** The first one, and what the other has besides. */
export function mergeOperations(one: Operation, other: Operation): Operation {
  const parameters = mergeParameters(one.parameters, other.parameters)
  const requestBody = mergeBodies(one.requestBody, other.requestBody)
  return {
    ...other,
    ...one,
    tags: [...new Set([...one.tags, ...other.tags])],
    ...(parameters.length > 0 && { parameters }),
    ...(requestBody && { requestBody }),
    responses: mergeReplies(one.responses, other.responses),
  }
}

/** What only one of them needs is not needed. */
function mergeParameters(one: readonly Parameter[] = [], other: readonly Parameter[] = []): readonly Parameter[] {
  const isSame = (a: Parameter) => (b: Parameter) => a.in === b.in && a.name === b.name
  const weaken = (list: readonly Parameter[], others: readonly Parameter[]) =>
    list.map(each => {
      const there = others.find(isSame(each))
      if (each.in === 'path' || each.required === there?.required) return each
      const { required: _, ...rest } = each
      return rest
    })
  return [
    ...weaken(one, other),
    ...weaken(
      other.filter(each => !one.some(isSame(each))),
      one,
    ),
  ]
}

function mergeBodies(one: RequestBody | undefined, other: RequestBody | undefined): RequestBody | undefined {
  if (one === undefined || other === undefined)
    return one === undefined ? other && { content: other.content } : { content: one.content }
  return {
    ...(one.required && other.required && { required: true }),
    content: mergeContents(one.content, other.content),
  }
}

function mergeReplies(one: Operation['responses'], other: Operation['responses']): Operation['responses'] {
  // Where there is a plain reply, whoever takes no event stream gets that.
  const { 406: _, ...others } = other
  const both = Object.entries(one).flatMap(([status, reply]): [string, ReplyDescription][] => {
    const there = other[status]
    if (there?.content === undefined) return [[status, reply]]
    return [[status, { ...reply, content: mergeContents(reply.content ?? {}, there.content) }]]
  })
  return { ...others, ...Object.fromEntries(both) }
}

function mergeContents(one: Content, other: Content): Content {
  const both = Object.entries(one).map(([type, media]) => [type, mergeMedia(media, other[type])] as const)
  return { ...other, ...Object.fromEntries(both) }
}

/** Either of two schemas, where both say something. */
function mergeMedia(one: MediaType, other: MediaType | undefined): MediaType {
  if (other?.schema === undefined || JSON.stringify(one) === JSON.stringify(other)) return one
  if (one.schema === undefined) return one
  const schema: JsonSchema = { anyOf: [one.schema, other.schema] }
  return { ...one, schema }
}
