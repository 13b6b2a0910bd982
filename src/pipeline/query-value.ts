/** One value of a query, read without the others: the table of all of them costs more than the rest of a small request. */
import { unescape as decodeEscapes, parse } from 'node:querystring'

/** No query of so few characters has more fields than `parse` takes. */
const SHORT = 1000

/** What `parse(query)[name]` is. What is rare (long queries, escaped or repeated names) is left to it. */
export function readQueryValue(query: string, name: string): string | string[] | undefined {
  if (query.length > SHORT || name === '') return parse(query)[name]
  let found: string | undefined
  for (let from = 0, end = 0; from < query.length; from = end + 1) {
    end = indexOrEnd(query, '&', from)
    const equals = Math.min(indexOrEnd(query, '=', from), end)
    const key = query.slice(from, equals)
    if ((key === name && found !== undefined) || /[%+]/.test(key)) return parse(query)[name]
    if (key === name) found = query.slice(equals + 1, Math.max(equals + 1, end))
  }
  return found === undefined ? undefined : decode(found)
}

function indexOrEnd(text: string, mark: string, from: number): number {
  const index = text.indexOf(mark, from)
  return index === -1 ? text.length : index
}

/** `unescape` takes what is no escape for bytes, so that it is asked only where there is one. */
function decode(value: string): string {
  if (!/[%+]/.test(value)) return value
  const spaced = value.replaceAll('+', ' ')
  return /%[0-9a-f]{2}/i.test(spaced) ? decodeEscapes(spaced) : spaced
}
