/** What marks of classes and of methods have in common. */
import { type AbstractClass, type Mark, readDeclaration } from '../declare/metadata.js'
import { show } from '../declare/options.js'

export type KindMark = Mark & { readonly as: 'controller' | 'sse' | 'websocket' }

/** What makes a class one that modules list among their controllers; undefined where nothing does. */
export function kindOf(owner: AbstractClass): KindMark | undefined {
  if (typeof owner !== 'function') return undefined
  return readDeclaration(owner).marks.find(
    (mark): mark is KindMark => mark.as === 'controller' || mark.as === 'sse' || mark.as === 'websocket',
  )
}

const none: readonly never[] = Object.freeze([])

export function markedTwice(name: string, marks: readonly Mark[]): string {
  return `${name} is marked twice (${marks.map(mark => mark.written).join(', ')}): one class or method, one route`
}

export function pathProblems(where: string, mark: Mark): readonly string[] {
  const path: unknown = mark.path
  if (typeof path === 'string' || (path === undefined && mark.as !== 'on')) return none
  return [`${where}: ${mark.written}: its first argument should be a string, not ${show(path)}`]
}
