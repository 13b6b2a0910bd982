import type { AbstractClass } from '../declare/metadata.js'
import { type Route, verbOf } from '../routing/table.js'

/** A row of the route table for people and for machines. */
export interface RouteDescription {
  /** `GET`, `POST` …, `ALL`, `SSE` or `WS`. */
  readonly verb: string
  /** The whole path, prefixes included; undefined where it is reached only by `upgrade`. */
  readonly path: string
  /** Absent where it answers on any host. */
  readonly host?: string
  /** The version that a header field asks for; absent where it has none, or has it in its path. */
  readonly version?: string
  /** `Users.show`, or the name of the class. */
  readonly handler: string
  /** Whether a request answers with an event stream, under a verb of its own. */
  readonly stream: boolean
  /** Names of the registries that the class is given. */
  readonly registries: readonly string[]
  /** Names of its guards, the outermost first. */
  readonly guards: readonly string[]
  /** Names of the events that have an `@On` handler. */
  readonly events: readonly string[]
}

/** A route as tables, pages and tools tell it: plain, and with a JSON form. */
export function describeRoute(route: Route): RouteDescription {
  return {
    verb: verbOf(route),
    path: route.pattern ?? '(by upgrade)',
    ...(route.host === undefined ? {} : { host: route.host }),
    ...(route.version === undefined ? {} : { version: route.version }),
    handler: route.name,
    stream: route.kind === 'sse',
    registries: route.registries,
    guards: route.guards.map(guard => (guard as AbstractClass).name || 'function'),
    events: route.messages.map(message => message.event),
  }
}

/** The route table as text: a line for each route, in columns. */
export function formatRoutes(routes: readonly Route[]): string {
  const rows = routes
    .map(describeRoute)
    .map(row => [
      row.verb,
      row.path,
      row.host ?? '',
      row.version === undefined ? '' : `version ${row.version}`,
      row.stream && row.verb !== 'SSE' ? 'sse' : '',
      row.handler,
      [
        row.registries.join(', '),
        row.guards.length > 0 ? `guard ${row.guards.join(', ')}` : '',
        row.events.length > 0 ? `on ${row.events.join(', ')}` : '',
      ]
        .filter(note => note !== '')
        .join(' · '),
    ])
  const widths = [0, 1, 2, 3, 4, 5].map(column => Math.max(0, ...rows.map(row => row[column]?.length ?? 0)))
  return rows
    .map(row =>
      row
        .map((cell, column) => pad(cell, widths[column]))
        .join('')
        .trimEnd(),
    )
    .join('\n')
}

function pad(cell: string, width: number | undefined): string {
  return width === undefined ? cell : width === 0 ? '' : cell.padEnd(width + 2)
}
