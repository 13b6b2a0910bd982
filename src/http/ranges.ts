/** Which parts of a representation a peer asks for (RFC 9110 §14). */
import type parseRanges from 'range-parser'
import { lazily } from '../pipeline/lazily.js'

const rangeParser = lazily<typeof parseRanges>('range-parser')

/** Bytes from `start` up to, and without, `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Parts at the most, when those that overlap or touch are one: for more, the whole is less work. */
const PARTS = 8

/**
 * The parts that are asked for, those that overlap or touch joined; none where nothing of that size has them (416);
 * undefined for the whole: no such field, one in another unit, one that is not understood, or too many parts.
 */
export function readRanges(field: string | undefined, size: number): readonly Span[] | undefined {
  if (field === undefined || size === 0 || !/^bytes=/i.test(field)) return undefined
  // RFC 9110 §14.1.2: the last 500 bytes of fewer are all of them, which the parser takes for unsatisfiable.
  const clamped = field.replace(/([=,]\s*)-(\d+)(?=\s*(,|$))/g, (spec, before: string, last: string) =>
    Number(last) > size ? `${before}0-` : spec,
  )
  const ranges = rangeParser()(size, clamped, { combine: true })
  if (ranges === -1) return []
  if (ranges === -2 || ranges.length > PARTS) return undefined
  return ranges.map(({ start, end }) => ({ start, end: end + 1 }))
}
