import type { Route } from '../routing/table.js'

/** A route table, or what has one, as an `Application` does. */
export type RouteTable = readonly Route[] | { readonly routes: readonly Route[] }

/** The rows of it. */
export function routesOf(table: RouteTable): readonly Route[] {
  return 'routes' in table ? table.routes : table
}
