/** The grammar of a route's host: `api.example.com`, `:tenant.example.com`. A parameter is one whole label. */

export interface HostPattern {
  readonly text: string
  /** A label in lower case, or the name of a parameter. */
  readonly labels: readonly { readonly text?: string; readonly name?: string }[]
  readonly names: readonly string[]
}

/** Parses what the boot check has let through. */
export function parseHost(text: string): HostPattern {
  const labels = splitHost(text).map(label =>
    label.startsWith(':') ? { name: label.slice(1) } : { text: label.toLowerCase() },
  )
  return { text, labels, names: labels.flatMap(({ name }) => name ?? []) }
}

/** The values of a pattern's parameters; undefined where the host is another one. */
export function matchHost({ labels }: HostPattern, hostname: string): readonly string[] | undefined {
  const given = splitHost(hostname)
  if (given.length !== labels.length) return undefined
  const values: string[] = []
  for (const [index, { text }] of labels.entries()) {
    const label = given[index] ?? ''
    if (text === undefined && label !== '') values.push(label)
    else if (text !== label) return undefined
  }
  return values
}

/** The name in a `Host` as it is compared: lower case, without its port and the root's dot (RFC 9110 §4.2.3, §7.2). */
export function hostnameOf(host: string): string {
  const name = host.startsWith('[') ? host.slice(0, host.indexOf(']') + 1) : host.replace(/:\d*$/, '')
  return name.toLowerCase().replace(/\.$/, '')
}

/** What a host pattern matches, names left out: of no host, nothing. */
export function hostShape(text: string | undefined): string {
  return text === undefined
    ? ''
    : parseHost(text)
        .labels.map(label => label.text ?? ':')
        .join('.')
}

/** Exact hosts first, then those with more text; of two alike, by their text, so that the order of declaration does not matter. */
export function compareHosts(a: HostPattern, b: HostPattern): number {
  if (a.names.length !== b.names.length) return a.names.length - b.names.length
  return hostShape(a.text) < hostShape(b.text) || (hostShape(a.text) === hostShape(b.text) && a.text < b.text) ? -1 : 1
}

/** The dots inside of an address in brackets part nothing. */
function splitHost(host: string): string[] {
  return host.startsWith('[') ? [host] : host.split('.')
}
