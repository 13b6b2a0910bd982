/** One pure function from what classes declare to the rows of the route table. */
import {
  addSurroundings,
  type ClassDeclaration,
  type Mark,
  type MemberDeclaration,
  noOptions,
  readDeclaration,
  type Surroundings,
} from '../declare/metadata.js'
import type { PlaceOptions } from '../declare/routes.js'
import { joinPaths } from './pattern.js'
import { type Listed, type MessageRow, noMember, type Route } from './table.js'
import { placeVersions, type Versioning } from './versioning.js'

/** How the application places all routes. */
export interface Placing {
  readonly prefix: string
  readonly versioning: Versioning
}

/** The rows of one class, one for each version of a route. A class that declares nothing has none: boot reports that. */
export function rowsOf(listed: Listed, placing: Placing): readonly Route[] {
  const declaration = readDeclaration(listed.owner)
  const mark = declaration.marks.find(each => each.as === 'controller' || each.as === 'sse' || each.as === 'websocket')
  if (mark?.as === 'sse' || mark?.as === 'websocket')
    return placesOf(listed, [mark], placing).map(place => connectionRow(place, declaration, mark))
  if (mark?.as !== 'controller') return []
  const outer = addSurroundings(listed, declaration)
  const rows: Route[] = []
  declaration.members.forEach((said, member) => {
    for (const route of said.marks) {
      if (route.as === 'on') continue
      for (const place of placesOf(listed, [route, mark], placing))
        rows.push(methodRow(place, outer, mark, member, said, route))
    }
  })
  return rows
}

/** A class whose routes stand in one version. */
interface Placed extends Listed {
  readonly version?: string
  readonly versioning?: Versioning
}

/** Where a route stands. The innermost of its marks that says a host, or versions, is the one that counts. */
function placesOf(listed: Listed, marks: readonly Mark[], { prefix, versioning }: Placing): readonly Placed[] {
  if (!saysPlace(listed) && !marks.some(({ options }) => saysPlace(options ?? noOptions))) return [listed as Placed]
  const said: readonly PlaceOptions[] = [...marks.map(({ options }) => options ?? noOptions), listed]
  const { version: _, host: __, ...rest } = listed
  if (marks[0]?.path === undefined) return [rest]
  const host = said.find(each => typeof each.host === 'string')?.host
  const versions = said.find(each => each.version !== undefined)?.version
  return placeVersions(listed.prefix, versions, versioning, prefix).map(place => ({
    ...rest,
    ...(host === undefined ? {} : { host }),
    ...place,
    ...(place.version === undefined ? {} : { versioning }),
  }))
}

function saysPlace({ host, version }: PlaceOptions | Listed): boolean {
  return host !== undefined || version !== undefined
}

/** The columns that only some tables have. */
function placeColumns({ host, version, versioning }: Placed): Pick<Route, 'host' | 'version' | 'versioning'> {
  return {
    ...(host === undefined ? {} : { host }),
    ...(version === undefined ? {} : { version }),
    ...(versioning === undefined ? {} : { versioning }),
  }
}

function connectionRow(listed: Placed, declaration: ClassDeclaration, mark: Mark): Route {
  const open = declaration.members.get('open') ?? noMember
  const surroundings = addSurroundings(listed, declaration)
  return freeze({
    ...addSurroundings(surroundings, open),
    kind: mark.as === 'sse' ? 'sse' : 'websocket',
    method: mark.method ?? 'GET',
    pattern: mark.path === undefined ? undefined : joinPaths(listed.prefix, textOf(mark.path)),
    prefix: listed.prefix,
    ...placeColumns(listed),
    name: listed.owner.name,
    owner: listed.owner,
    member: undefined,
    status: open.status,
    params: open.params,
    messages: mark.as === 'websocket' ? messageRows(listed, declaration) : [],
    registries: listed.registries,
    sends: listed.sends,
    options: { ...mark.options },
  })
}

function messageRows(listed: Listed, declaration: ClassDeclaration): readonly MessageRow[] {
  const outer = addSurroundings(listed, declaration)
  return [...declaration.members].flatMap(([member, said]) =>
    said.marks
      .filter(mark => mark.as === 'on')
      .map(mark => ({
        guards: [...said.guards],
        interceptors: outer.interceptors.concat(said.interceptors),
        errorMappers: outer.errorMappers.concat(said.errorMappers),
        event: textOf(mark.path),
        member,
        name: `${listed.owner.name}.${member}`,
        params: said.params,
        ...(mark.schema === undefined ? {} : { schema: mark.schema }),
        ...mark.options,
      })),
  )
}

/** Written out, since spreading into a literal with as many columns costs several times as much, for each route. */
function methodRow(
  listed: Placed,
  outer: Surroundings,
  controller: Mark,
  member: string,
  said: MemberDeclaration,
  route: Mark,
): Route {
  const { guards, interceptors, errorMappers } = addSurroundings(outer, said)
  const row: Route = {
    guards,
    interceptors,
    errorMappers,
    kind: route.as === 'sse' ? 'sse' : 'http',
    method: route.method ?? 'GET',
    pattern: joinPaths(listed.prefix, textOf(controller.path), textOf(route.path)),
    prefix: listed.prefix,
    name: `${listed.owner.name}.${member}`,
    owner: listed.owner,
    member,
    status: said.status,
    params: said.params,
    messages: none,
    registries: none,
    sends: none,
    options: route.options === noOptions ? noOptions : { ...route.options },
  }
  const { host, version } = listed
  if (row.options !== noOptions) Object.freeze(row.options)
  return Object.freeze(host === undefined && version === undefined ? row : { ...row, ...placeColumns(listed) })
}

const none: readonly never[] = Object.freeze([])

/** What is no path has been told as a problem. */
function textOf(path: unknown): string {
  return typeof path === 'string' ? path : ''
}

/** Rows are data: nothing about a route changes once the table stands. */
function freeze(route: Route): Route {
  route.messages.forEach(freezeRow)
  Object.freeze(route.messages)
  Object.freeze(route.registries)
  Object.freeze(route.sends)
  Object.freeze(route.options)
  return freezeRow(route)
}

function freezeRow<Row extends Surroundings>(row: Row): Row {
  Object.freeze(row.guards)
  Object.freeze(row.interceptors)
  Object.freeze(row.errorMappers)
  return Object.freeze(row)
}
