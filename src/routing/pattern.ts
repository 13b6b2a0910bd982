/**
 * The grammar of a route's path: `/static/:param/:param(regex)/:optional?/*wildcard`. A parameter is one whole segment; a
 * wildcard is the rest, one segment or more, and `*name?` none as well. Optional segments stand last.
 */

/** `written` is how it stands in a pattern. */
export type Segment = { readonly written: string } & (
  | { readonly kind: 'static'; readonly text: string }
  | { readonly kind: 'param'; readonly name: string; readonly source?: string; readonly test?: RegExp }
  | { readonly kind: 'wildcard'; readonly name: string }
)

export interface Pattern {
  readonly text: string
  readonly segments: readonly Segment[]
  /** Of its parameters, and of its wildcard. */
  readonly names: readonly string[]
}

export interface ParsedPattern {
  /** The pattern, and one more for each optional segment that may be missing. */
  readonly patterns: readonly Pattern[]
  readonly names: readonly string[]
  readonly problems: readonly string[]
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** The prefix of a prefix: one slash in front, none behind; of nothing, nothing. */
export function joinPrefixes(...prefixes: readonly string[]): string {
  const joined = withoutClosingSlash(joinPaths(...prefixes))
  return joined === '/' ? '' : joined
}

/** Joins paths so that there is one slash between them and one in front; a closing slash of the last is kept. */
export function joinPaths(...paths: readonly string[]): string {
  const glued = paths.reduce(glue, '')
  const joined = glued.includes('//') ? glued.replace(/\/{2,}/g, '/') : glued
  const rooted = joined.startsWith('/') ? joined : `/${joined}`
  return rooted !== '/' && rooted.endsWith('/') && !paths.at(-1)?.match(/[^/]\/$/) ? rooted.slice(0, -1) : rooted
}

function glue(front: string, path: string): string {
  if (front === '') return path
  return front.endsWith('/') ? front + (path.startsWith('/') ? path.slice(1) : path) : `${front}/${path}`
}

export function withoutClosingSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

/** Patterns as they were parsed: each is asked for several times at boot, and there are no more than were declared. */
const known = new Map<string, ParsedPattern>()

export function parsePattern(text: string): ParsedPattern {
  return known.get(text) ?? parse(text)
}

function parse(text: string): ParsedPattern {
  const problems: string[] = []
  const names: string[] = []
  const parts = splitPattern(text)
  let optionals = 0
  const segments = parts.map((part, index) => {
    const isOptional = mayBeMissing(part)
    const segment = segmentOf(isOptional ? part.slice(0, -1) : part, problems)
    if (segment.kind !== 'static') {
      if (names.includes(segment.name)) problems.push(`the name ${segment.name} stands twice`)
      names.push(segment.name)
    }
    if (segment.kind === 'wildcard' && index < parts.length - 1) problems.push(`${part} must be the last segment`)
    if (isOptional) optionals++
    else if (optionals > 0)
      problems.push(`${part || 'a closing slash'} follows an optional segment; optional ones stand last`)
    return segment
  })
  const patterns = optionals === 0 ? [patternOf(segments, names)] : variants(segments, parts)
  const parsed = { patterns, names, problems }
  known.set(text, parsed)
  return parsed
}

function mayBeMissing(part: string): boolean {
  return part.endsWith('?') && (part.startsWith(':') || part.startsWith('*')) && part.length > 1
}

/** The longest first. */
function variants(all: readonly Segment[], parts: readonly string[]): Pattern[] {
  const required = all.filter((_, index) => !mayBeMissing(parts[index] ?? ''))
  const optional = all.filter((_, index) => mayBeMissing(parts[index] ?? ''))
  const patterns = Array.from({ length: optional.length + 1 }, (_, taken) => {
    const segments = [...required, ...optional.slice(0, taken)]
    return patternOf(
      segments,
      segments.flatMap(segment => (segment.kind === 'static' ? [] : segment.name)),
    )
  })
  return patterns.reverse()
}

function patternOf(segments: readonly Segment[], names: readonly string[]): Pattern {
  return { text: formatPattern(segments), segments, names }
}

/** Splits at slashes, but not at those inside the parentheses of a regular expression. */
function splitPattern(text: string): string[] {
  if (!text.includes('(') && !text.includes('\\')) return text === '' || text === '/' ? [] : text.slice(1).split('/')
  const parts: string[] = []
  let depth = 0
  let inClass = false
  let part = ''
  for (const [char] of text.slice(1).matchAll(/\\.|./gsu)) {
    if (depth > 0 && (char === '[' || char === ']')) inClass = char === '['
    else if (!inClass && char === '(') depth++
    else if (!inClass && char === ')') depth--
    if (char === '/' && depth === 0) {
      parts.push(part)
      part = ''
    } else part += char
  }
  return [...parts, part]
}

/** What of a path stands behind a prefix that it matched: as many segments fewer as the prefix has. */
export function behindPrefix(path: string, prefix: string): string {
  let from = 0
  for (let left = splitPattern(prefix).length; left > 0 && from !== -1; left--) from = path.indexOf('/', from + 1)
  return from === -1 ? '/' : path.slice(from)
}

/** Segments that are right, as they were parsed: most of a table's paths begin alike, and many end in `:id`. */
const knownSegments = new Map<string, Segment>()

function segmentOf(part: string, problems: string[]): Segment {
  const known = knownSegments.get(part)
  if (known !== undefined) return known
  const before = problems.length
  const segment = parseSegment(part, problems)
  if (problems.length === before) knownSegments.set(part, segment)
  return segment
}

function parseSegment(part: string, problems: string[]): Segment {
  if (part.startsWith('*')) {
    const name = checkName(part.slice(1) || 'rest', part, problems)
    return { kind: 'wildcard', name, written: `*${name}` }
  }
  if (!part.startsWith(':')) {
    if (/[:*()?]/.test(part)) problems.push(`${part} mixes text and a parameter; a parameter is a whole segment`)
    const text = decode(part, problems)
    return { kind: 'static', text, written: encodeURIComponent(text) }
  }
  const open = part.indexOf('(')
  if (open === -1) return freeParam(checkName(part.slice(1), part, problems))
  const name = checkName(part.slice(1, open), part, problems)
  if (!part.endsWith(')')) {
    const problem = part.includes(')')
      ? 'goes on behind its parenthesis; a parameter is a whole segment'
      : 'lacks its )'
    problems.push(`${part} ${problem}`)
    return freeParam(name)
  }
  const source = part.slice(open + 1, -1)
  try {
    return { kind: 'param', name, source, test: new RegExp(`^(?:${source})$`, 'u'), written: `:${name}(${source})` }
  } catch (error) {
    problems.push(`${part}: ${(error as Error).message}`)
    return freeParam(name)
  }
}

function freeParam(name: string): Segment {
  return { kind: 'param', name, written: `:${name}` }
}

function decode(part: string, problems: string[]): string {
  if (!part.includes('%')) return part
  try {
    return decodeURIComponent(part)
  } catch {
    problems.push(`${part} has a bad percent escape`)
    return part
  }
}

function checkName(name: string, part: string, problems: string[]): string {
  if (!NAME.test(name)) problems.push(`${part} has no valid name; use letters, digits and _`)
  return name
}

function formatPattern(segments: readonly Segment[]): string {
  return `/${segments.map(({ written }) => written).join('/')}`
}

/** What a pattern matches, names left out: two patterns of one shape answer the same paths. */
export function shapeOf({ text, segments, names }: Pattern): string {
  if (names.length === 0) return text
  const shapes = segments.map(segment => {
    if (segment.kind === 'static') return segment.written
    if (segment.kind === 'wildcard') return '*'
    return segment.source === undefined ? ':' : `:(${segment.source})`
  })
  return `/${shapes.join('/')}`
}
