/**
 * A set that nearly always has one member or none, of which an idle connection keeps no table: 200 bytes each
 * (`npm run bench -- -w idle`). Its members are no sets themselves.
 */
export type Few<T extends string | object> = undefined | T | Set<T>

export function withOne<T extends string | object>(few: Few<T>, one: T): Few<T> {
  if (few === undefined || few === one) return one
  return few instanceof Set ? few.add(one) : new Set([few, one])
}

export function withoutOne<T extends string | object>(few: Few<T>, one: T): Few<T> {
  if (few instanceof Set) return few.delete(one) && few.size === 0 ? undefined : few
  return few === one ? undefined : few
}

export function hasOne<T extends string | object>(few: Few<T>, one: T): boolean {
  return few === one || (few instanceof Set && few.has(one))
}

export function allOf<T extends string | object>(few: Few<T>): Iterable<T> {
  if (few instanceof Set) return few
  return few === undefined ? [] : [few]
}
