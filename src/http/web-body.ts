/** What the web's own objects are as replies: a `Response`, a `Blob`; and those that no reply can be made of. */
import { CURES } from '../pipeline/lost.js'
import type { Reply, ReplyOptions } from '../pipeline/reply.js'

/** A reply taken apart. */
export interface Answer {
  readonly body: unknown
  readonly status?: number | undefined
  readonly headers: NonNullable<ReplyOptions['headers']>
}

/** As much as is read of a `Response`: any that keeps to the standard, not Node's own alone. */
interface WebResponse {
  readonly status: number
  readonly headers: Iterable<[string, string]> & { getSetCookie(): string[] }
  readonly body: { readonly locked: boolean } | null
  readonly bodyUsed: boolean
  /** `default` where it was made here, another where it was fetched. */
  readonly type: string
}

/** As much as is read of a `Blob`, which a `File` is, too. */
interface WebBlob {
  readonly size: number
  readonly type: string
  stream(): unknown
}

/**
 * What is sent for a body and what `given` says of it, which counts before what a web object says itself.
 * @throws TypeError for what cannot be sent
 */
export function readWeb(body: unknown, given: Reply | undefined, handler: string): Answer {
  const { status, headers = {} } = given ?? {}
  const kind = kindOf(body)
  if (kind === 'Response') return ofResponse(body as WebResponse, { status, headers }, handler)
  if (kind === 'Blob' || kind === 'File') return { ...ofBlob(body as WebBlob, headers), status }
  const cure = CURES.get(kind)
  if (cure === undefined) return { body, status, headers }
  throw new TypeError(`${handler} returned a ${kind}, which has no JSON form: return ${cure}`)
}

/** The name of a class that is built in; of plain objects and all others none. */
function kindOf(body: unknown): string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return ''
  if (body instanceof RegExp) return 'RegExp'
  const tag: unknown = (body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]
  return typeof tag === 'string' && !Object.hasOwn(body, Symbol.toStringTag) ? tag : ''
}

/** Fields of the connection that it came by (RFC 9110 §7.6.1). */
const OF_THE_CONNECTION = /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade)$/

/** `fetch` has undone the coding, and left the fields that speak of it. */
const OF_THE_CODING = /^content-(encoding|length)$/

function ofResponse(response: WebResponse, given: Pick<Answer, 'status' | 'headers'>, handler: string): Answer {
  const { status, body, bodyUsed, type } = response
  if (bodyUsed || body?.locked === true)
    throw new TypeError(`${handler} returned a Response whose body was read: return response.clone(), made before`)
  const fields = [...response.headers].filter(([name]) => !OF_THE_CONNECTION.test(name) && name !== 'set-cookie')
  const isDecoded = type !== 'default' && fields.some(([name]) => name === 'content-encoding')
  const own = Object.fromEntries(isDecoded ? fields.filter(([name]) => !OF_THE_CODING.test(name)) : fields)
  const cookies = response.headers.getSetCookie()
  const headers = { ...own, ...(cookies.length > 0 ? { 'set-cookie': cookies } : {}) }
  return { body: body ?? undefined, status: given.status ?? status, headers: under(given.headers, headers) }
}

function ofBlob(blob: WebBlob, given: Answer['headers']): Answer {
  const type = blob.type === '' ? 'application/octet-stream' : blob.type
  const headers = under(given, { 'content-type': type })
  return { body: blob.stream(), headers: { ...headers, 'Content-Length': blob.size } }
}

/** Fields, and those of a reply in place of them. */
function under(given: Answer['headers'], own: Answer['headers']): Answer['headers'] {
  const said = new Set(Object.keys(given).map(name => name.toLowerCase()))
  return { ...Object.fromEntries(Object.entries(own).filter(([name]) => !said.has(name))), ...given }
}
