import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Matcher } from '../../src/routing/matcher.js'
import { parsePattern, type Segment, shapeOf } from '../../src/routing/pattern.js'
import { routeAt } from '../support/apps.js'
import { fc } from '../support/properties.js'

/** The rank of a segment: the lower wins. Constrained parameters go by their source. */
function rank(segment: Segment): string {
  if (segment.kind === 'static') return '0'
  if (segment.kind === 'wildcard') return '3'
  return segment.source === undefined ? '2' : `1${segment.source}`
}

/** The values of a path under some segments, in order; undefined where they do not match. */
function valuesOf(segments: readonly Segment[], parts: readonly string[]): string[] | undefined {
  const values: string[] = []
  for (const [index, segment] of segments.entries()) {
    if (segment.kind === 'wildcard') return index < parts.length ? [...values, parts.slice(index).join('/')] : undefined
    const part = parts[index]
    if (part === undefined) return undefined
    if (segment.kind === 'static' ? segment.text !== part : part === '' || segment.test?.test(part) === false)
      return undefined
    if (segment.kind === 'param') values.push(part)
  }
  return segments.length === parts.length ? values : undefined
}

/** The matcher's promise said plainly: of all that match, the one whose segments rank lowest from the left. */
function model(patterns: readonly string[], path: string) {
  const parts = path === '/' ? [] : path.slice(1).split('/').map(decodeURIComponent)
  const found = patterns
    .flatMap(text => parsePattern(text).patterns.map(({ segments }) => ({ text, segments })))
    .flatMap(({ text, segments }) => {
      const values = valuesOf(segments, parts)
      const names = segments.flatMap(segment => (segment.kind === 'static' ? [] : [segment.name]))
      return values === undefined ? [] : [{ text, names, values, ranks: segments.map(rank) }]
    })
    .sort((a, b) => {
      const at = a.ranks.findIndex((each, index) => each !== b.ranks[index])
      return (a.ranks[at] ?? '') < (b.ranks[at] ?? '') ? -1 : 1
    })
  const [best] = found
  return best && { text: best.text, params: Object.fromEntries(best.names.map((name, i) => [name, best.values[i]])) }
}

const word = fc.constantFrom('a', 'b', '1', '22', 'a b')
const segment = fc.oneof(
  { weight: 3, arbitrary: word },
  { weight: 2, arbitrary: fc.constant(':') },
  { weight: 2, arbitrary: fc.constantFrom(':(\\d+)', ':([ab])', ':(.*2)') },
)
const tail = fc.constantFrom('', '', '', '/*', '/:?', '/:(\\d)?', '/*?', '/:?/:?')

/** Names its parameters p0, p1 … so that they are unique in their pattern. */
function named(text: string): string {
  let count = 0
  return text.replace(/[:*]/g, kind => `${kind}p${count++}`)
}

const pattern = fc
  .tuple(fc.array(segment, { maxLength: 3 }), tail)
  .map(([segments, end]) => named(segments.map(each => `/${each}`).join('') + end) || '/')

/** Patterns of which no two have a shape in common: those are refused at boot. */
const table = fc.array(pattern, { maxLength: 12, size: 'max' }).map(patterns => {
  const taken = new Set<string>()
  return patterns.filter(text => {
    const shapes = parsePattern(text).patterns.map(shapeOf)
    if (shapes.some(shape => taken.has(shape))) return false
    for (const shape of shapes) taken.add(shape)
    return true
  })
})

const part = fc.oneof(word, fc.constantFrom('', 'x', 'a/b', '%', '12'))
const path = fc
  .array(part, { maxLength: 5 })
  .map(parts => `/${parts.map(encodeURIComponent).join('/')}`)
  .filter(text => !text.endsWith('/') || text === '/')

test('any path leads where a search through all patterns would lead it', () => {
  fc.assert(
    fc.property(table, fc.array(path, { minLength: 1, maxLength: 8 }), (patterns, paths) => {
      const matcher = new Matcher(patterns.map(text => ({ route: routeAt(text), endpoint: text })))
      for (const asked of paths) {
        const match = matcher.find(asked, leaf => leaf.http.get('GET'))
        const found = match && { text: match.endpoint, params: { ...match.params } }
        assert.deepEqual(found, model(patterns, asked), `${asked} among ${patterns.join(' ')}`)
      }
    }),
    { numRuns: 2000 },
  )
})

test('the order of declaration changes nothing', () => {
  fc.assert(
    fc.property(table, path, fc.infiniteStream(fc.nat()), (patterns, asked, random) => {
      const shuffled = patterns
        .map(text => ({ text, at: random.next().value }))
        .sort((a, b) => a.at - b.at)
        .map(({ text }) => text)
      const [first, second] = [patterns, shuffled].map(texts =>
        new Matcher(texts.map(text => ({ route: routeAt(text), endpoint: text }))).find(asked, leaf =>
          leaf.http.get('GET'),
        ),
      )
      assert.deepEqual(first, second)
    }),
    { numRuns: 1000 },
  )
})
