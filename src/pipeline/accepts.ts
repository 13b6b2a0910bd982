import { type AbstractClass, openDeclaration, openMember } from '../declare/metadata.js'
import { show } from '../declare/options.js'
import { declareParam } from '../declare/params.js'
import { notAcceptable } from '../errors.js'
import type { Context } from './context.js'
import { addVary, preferredType } from './negotiate.js'
import { RequestContext } from './request-context.js'

type Decorate = (target: object, key: string | symbol | undefined, index?: number | PropertyDescriptor) => void

/**
 * The media types that a handler can answer with, the preferred one first (RFC 9110 §12.5.1). On a parameter it gives the
 * one that the peer likes best; on a method it only checks. A peer that takes none of them is answered with 406, and
 * caches are told by `Vary`.
 */
export function Accepts(...types: readonly string[]): Decorate {
  const read = (context: Context) => choose(context, types)
  return (target, key, index) => {
    const owner = (typeof target === 'function' ? target : target.constructor) as AbstractClass
    const where = key === undefined ? owner.name : `${owner.name}.${String(key)}`
    openDeclaration(owner).problems.push(...typesProblems(where, types))
    if (typeof index === 'number')
      return declareParam({ source: 'accepts', read, options: { types } })(target, key, index)
    if (key !== undefined) return void openMember(target, key).guards.unshift(checking(read, types))
    openDeclaration(owner).problems.push(`${where}: @Accepts stands on the class; it belongs to methods and parameters`)
  }
}

/** A guard that lets through who takes one of the types, and says which they are. */
function checking(read: (context: Context) => string, accepts: readonly string[]) {
  return Object.assign((context: Context) => read(context) !== '', { accepts })
}

function typesProblems(where: string, types: readonly unknown[]): string[] {
  const wrong = types.filter(type => typeof type !== 'string' || !/^[\w.+-]+\/[\w.+-]+(;.*)?$/.test(type))
  if (types.length > 0 && wrong.length === 0) return []
  const given = types.length === 0 ? 'nothing' : wrong.map(show).join(', ')
  return [`${where}: @Accepts takes media types, such as 'application/json', not ${given}`]
}

/** @throws HttpError 406 */
function choose(context: Context, types: readonly string[]): string {
  if (context instanceof RequestContext && !context.response.headersSent) addVary(context.response, 'Accept')
  const chosen = preferredType(context.header('accept'), types)
  if (chosen !== undefined) return chosen
  throw notAcceptable(`here is ${types.join(', ')}`, { extensions: { types } })
}
