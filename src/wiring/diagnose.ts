/** What a class can say wrongly of itself. Each message names the class, the member and the cure. */
import {
  type AbstractClass,
  type ClassDeclaration,
  foreignProblem,
  isDecorated,
  readDeclaration,
} from '../declare/metadata.js'
import { markProblems, show } from '../declare/options.js'
import { callbacks } from '../routing/table.js'
import { kindOf, markedTwice, pathProblems } from './marks.js'
import { memberProblems } from './members.js'
import type { ListedClass, ModuleGraph } from './modules.js'
import { surroundingProblems } from './surroundings.js'

export function classProblems(graph: ModuleGraph): string[] {
  const lists = new Map<AbstractClass, string>()
  const listed = graph.classes.flatMap(each => {
    const first = lists.get(each.owner)
    lists.set(each.owner, each.module)
    if (first === undefined) return listedProblems(each)
    const where = first === each.module ? `twice by ${first}` : `by ${first} and by ${each.module}`
    return [`${each.owner.name} is listed ${where}: list it once`]
  })
  return [...listed, ...graph.providers.flatMap(({ provider, module }) => misplacedProvider(provider, module))]
}

function listedProblems(listed: ListedClass): string[] {
  const { owner, module } = listed
  if (typeof owner !== 'function')
    return [`${module} lists ${show(owner)} among its controllers, which is no class: is it imported in a circle?`]
  const foreign = foreignProblem(owner)
  if (foreign !== undefined) return [foreign]
  const { name } = owner
  const declaration = readDeclaration(owner)
  const kind = kindOf(owner)
  if (kind === undefined) return [...declaration.problems, notDeclared(name, module, owner)]
  const marks = declaration.marks.filter(mark => mark.as !== 'injectable')
  return [
    ...declaration.problems,
    ...(marks.length > 1 ? [markedTwice(name, marks)] : []),
    ...declaration.marks.flatMap(mark => markProblems(name, mark)),
    ...declaration.marks.flatMap(mark => pathProblems(name, mark)),
    ...surroundingProblems(name, declaration),
    ...memberProblems(owner, kind, declaration),
    ...(kind.as === 'controller' ? routeless(name, declaration) : silent(name, kind.as, owner, declaration)),
  ]
}

function notDeclared(name: string, module: string, owner: AbstractClass): string {
  const { members, marks } = readDeclaration(owner)
  if (members.size > 0)
    return `${name} has routes (${[...members.keys()].join(', ')}) but is no controller: mark the class @Controller('/path')`
  const cure = marks.some(mark => mark.as === 'module')
    ? 'list it among the imports'
    : 'mark it @Controller, @Sse or @WebSocket, or list it among the providers'
  return `${module} lists ${name} among its controllers, but ${isDecorated(owner) ? 'it declares nothing' : 'it has no decorator'}: ${cure}`
}

/** A controller among the providers would be made, and never served. */
function misplacedProvider(provider: unknown, module: string): string[] {
  const owner = provider as AbstractClass
  const kind =
    typeof provider === 'function'
      ? (kindOf(owner) ?? readDeclaration(owner).marks.find(mark => mark.as === 'module'))
      : undefined
  if (kind === undefined) return []
  const place = kind.as === 'module' ? 'imports' : 'controllers'
  return [
    `${module} lists ${owner.name} among its providers, but it is marked ${kind.written}: list it among the ${place}`,
  ]
}

function routeless(name: string, declaration: ClassDeclaration): string[] {
  return declaration.members.size > 0
    ? []
    : [`${name} declares nothing: mark its handlers @Get, @Post, @Sse …, or take it out of the controllers`]
}

/** An event source or a socket class without any callback would open connections that do nothing. */
function silent(
  name: string,
  kind: 'sse' | 'websocket',
  owner: AbstractClass,
  declaration: ClassDeclaration,
): string[] {
  const has = callbacks[kind].some(callback => callback !== 'close' && callback in owner.prototype)
  const handles = [...declaration.members.values()].some(member => member.marks.some(mark => mark.as === 'on'))
  if (has || handles) return []
  const cure = kind === 'sse' ? 'open or info' : 'open, message or info, or one marked @On'
  return [`${name} declares nothing: give it a method ${cure}`]
}
