/** What a class can say wrongly of itself. Each message names the class, the member and the cure. */
import {
  type AbstractClass,
  type ClassDeclaration,
  isDecorated,
  isForeign,
  type Mark,
  readDeclaration,
} from '../declare/metadata.js'
import { unknownOptions } from '../declare/options.js'
import type { ListedClass, ModuleGraph } from './modules.js'

export function classProblems(graph: ModuleGraph): string[] {
  return [...graph.modules.flatMap(module => optionProblems(module)), ...graph.classes.flatMap(listedProblems)]
}

function optionProblems(owner: AbstractClass): string[] {
  return readDeclaration(owner).marks.flatMap(mark => unknownOptions(owner.name, mark))
}

function listedProblems(listed: ListedClass): string[] {
  const { owner, module } = listed
  if (typeof owner !== 'function')
    return [`${module} lists ${String(owner)} among its controllers, which is no class: is it imported in a circle?`]
  const { name } = owner
  if (isForeign(owner)) {
    return [
      `${name} was declared with another copy of palomino than the one that runs: keep one version of it in node_modules (npm ls palomino)`,
    ]
  }
  const declaration = readDeclaration(owner)
  const kind = declaration.marks.find(mark => ['controller', 'sse', 'websocket'].includes(mark.as))
  if (kind === undefined) return [notDeclared(name, module, owner)]
  return [
    ...declaration.problems,
    ...markedTwice(
      name,
      declaration.marks.filter(mark => mark.as !== 'injectable'),
    ),
    ...optionProblems(owner),
    ...memberProblems(name, kind, declaration),
    ...(kind.as === 'controller' ? routeless(name, declaration) : silent(name, kind, owner, declaration)),
  ]
}

function notDeclared(name: string, module: string, owner: AbstractClass): string {
  const members = [...readDeclaration(owner).members.keys()]
  if (members.length > 0)
    return `${name} has routes (${members.join(', ')}) but is no controller: mark the class @Controller('/path')`
  const cure = 'mark it @Controller, @Sse or @WebSocket, or list it among the providers'
  return `${module} lists ${name} among its controllers, but ${isDecorated(owner) ? 'it declares nothing' : 'it has no decorator'}: ${cure}`
}

function markedTwice(name: string, marks: readonly Mark[]): string[] {
  if (marks.length < 2) return []
  return [`${name} is marked twice (${marks.map(mark => mark.written).join(', ')}): one class or method, one route`]
}

function memberProblems(name: string, kind: Mark, declaration: ClassDeclaration): string[] {
  const problems: string[] = []
  const events = new Map<string, string>()
  for (const [member, { marks }] of declaration.members) {
    const where = `${name}.${member}`
    problems.push(...markedTwice(where, marks), ...marks.flatMap(mark => unknownOptions(where, mark)))
    for (const mark of marks) {
      if (mark.as === 'on' && kind.as !== 'websocket')
        problems.push(`${where}: ${mark.written} is for socket classes: mark ${name} @WebSocket('/path')`)
      if (mark.as !== 'on' && kind.as !== 'controller') {
        problems.push(
          `${where}: ${mark.written} is for controllers, and ${name} is marked ${kind.written}: move the method to a class marked @Controller`,
        )
      }
      const other = mark.as === 'on' ? events.get(mark.path ?? '') : undefined
      if (other !== undefined)
        problems.push(`${where}: the event ${mark.path} is handled by ${other} already: one event, one handler`)
      if (mark.as === 'on') events.set(mark.path ?? '', where)
    }
  }
  return problems
}

function routeless(name: string, declaration: ClassDeclaration): string[] {
  const routes = [...declaration.members.values()].flatMap(member => member.marks)
  return routes.length > 0
    ? []
    : [`${name} declares nothing: mark its handlers @Get, @Post, @Sse …, or take it out of the controllers`]
}

/** An event source or a socket class without any callback would open connections that do nothing. */
function silent(name: string, kind: Mark, owner: AbstractClass, declaration: ClassDeclaration): string[] {
  const callbacks = kind.as === 'sse' ? ['open', 'info'] : ['open', 'message', 'info', 'ping', 'pong', 'close']
  const has = callbacks.some(callback => callback in owner.prototype)
  const handles = [...declaration.members.values()].some(member => member.marks.some(mark => mark.as === 'on'))
  return has || handles ? [] : [`${name} declares nothing: give it a method ${callbacks.slice(0, 3).join(', ')}`]
}
