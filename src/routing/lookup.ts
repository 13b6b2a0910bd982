/** Which routes a request may reach by its host and its version; among those, its path and its method decide. */
import { compareHosts, type HostPattern, hostnameOf, matchHost, parseHost } from './host.js'
import { type Leaf, type Match, Matcher, type Pick, type Row } from './matcher.js'

/** What of a request tells its routes apart besides method and path. */
export interface Whereabouts {
  readonly host: string | undefined
  readonly version: string | undefined
}

/** The routes that a request may reach. */
export interface Paths<T> {
  /** @throws HttpError 400 for a bad percent escape */
  find(path: string, pick: Pick<T>): Match<T> | undefined
  /** All leaves that answer to a path, for `Allow` and for telling 404 from 405. */
  leaves(path: string): readonly Leaf<T>[]
}

export interface Lookup<T> {
  at(where: Whereabouts): Paths<T>
  /** The versions in which a path has routes on a host, of those that `pick` takes. */
  versions(where: Whereabouts, path: string, pick: Pick<T>): readonly string[]
}

type ClosingSlash = 'ignore' | 'strict' | 'redirect'

/** A table that uses neither hosts nor versions is one tree, and no request is asked for either. */
export function makeLookup<T>(rows: readonly Row<T>[], closingSlash: ClosingSlash): Lookup<T> {
  if (rows.some(({ route }) => route.host !== undefined || route.version !== undefined))
    return new HostLookup(rows, closingSlash)
  const matcher = new Matcher(rows, closingSlash)
  return { at: () => matcher, versions: () => [] }
}

/** As virtual hosts are: a host's own routes first, then those of patterns, then those of any host. */
class HostLookup<T> implements Lookup<T> {
  readonly #hosts: readonly { readonly pattern: HostPattern; readonly versions: VersionedPaths<T> }[]
  readonly #anywhere: VersionedPaths<T>

  constructor(rows: readonly Row<T>[], closingSlash: ClosingSlash) {
    const of = (host: string | undefined) =>
      new VersionedPaths(
        rows.filter(({ route }) => route.host === host),
        closingSlash,
      )
    const texts = new Set(rows.flatMap(({ route }) => route.host ?? []))
    this.#hosts = [...texts]
      .map(parseHost)
      .sort(compareHosts)
      .map(pattern => ({ pattern, versions: of(pattern.text) }))
    this.#anywhere = of(undefined)
  }

  at({ host, version }: Whereabouts): Paths<T> {
    const places = this.#placesOf(host).map(({ names, values, versions }) => ({
      names,
      values,
      matcher: versions.of(version),
    }))
    return {
      find(path, pick) {
        for (const { matcher, names, values } of places) {
          const match = matcher.find(path, pick)
          if (match !== undefined) return names.length === 0 ? match : withHost(match, names, values)
        }
        return undefined
      },
      leaves: path => places.flatMap(({ matcher }) => matcher.leaves(path)),
    }
  }

  versions({ host }: Whereabouts, path: string, pick: Pick<T>): readonly string[] {
    return [...new Set(this.#placesOf(host).flatMap(({ versions }) => versions.answering(path, pick)))].sort()
  }

  #placesOf(host: string | undefined) {
    const hostname = host === undefined ? undefined : hostnameOf(host)
    const bound = this.#hosts.flatMap(({ pattern, versions }) => {
      const values = hostname === undefined ? undefined : matchHost(pattern, hostname)
      return values === undefined ? [] : { versions, names: pattern.names, values }
    })
    return [...bound, { versions: this.#anywhere, names: [] as readonly string[], values: [] as readonly string[] }]
  }
}

/** Routes without a version belong to every one; where a version has the same path and method, its own route stands. */
class VersionedPaths<T> {
  readonly #plain: Matcher<T>
  readonly #versions = new Map<string, { readonly all: Matcher<T>; readonly own: Matcher<T> }>()

  constructor(rows: readonly Row<T>[], closingSlash: ClosingSlash) {
    const plain = rows.filter(({ route }) => route.version === undefined)
    this.#plain = new Matcher(plain, closingSlash)
    for (const name of new Set(rows.flatMap(({ route }) => route.version ?? []))) {
      const own = rows.filter(({ route }) => route.version === name)
      const all = new Matcher([...plain, ...own], closingSlash)
      this.#versions.set(name, { all, own: new Matcher(own, closingSlash) })
    }
  }

  of(version: string | undefined): Matcher<T> {
    return (version === undefined ? undefined : this.#versions.get(version)?.all) ?? this.#plain
  }

  answering(path: string, pick: Pick<T>): string[] {
    return [...this.#versions].flatMap(([name, { own }]) => (own.find(path, pick) === undefined ? [] : name))
  }
}

function withHost<T>({ endpoint, params }: Match<T>, names: readonly string[], values: readonly string[]): Match<T> {
  const all: Record<string, string> = Object.create(null)
  for (const [index, name] of names.entries()) all[name] = values[index] ?? ''
  return { endpoint, params: Object.assign(all, params) }
}
