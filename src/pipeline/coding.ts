/** Content codings (RFC 9110 §8.4.1): which one an answer gets, and the compressors. */
import type { ServerResponse } from 'node:http'
import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type isCompressible from 'compressible'
import type { Coding, CompressionOptions } from '../declare/routes.js'
import { lazily } from './lazily.js'
import { acceptedEncodings, addVary } from './negotiate.js'

const compressible = lazily<typeof isCompressible>('compressible')

/** A compressor, whose output is read as it comes. */
export interface Encoder {
  readonly stream: Transform
  /** Lets out what was written so far, and then calls back. */
  flush(done?: () => void): void
}

const THRESHOLD = 1024

const { constants } = zlib
const { BROTLI_PARAM_LGWIN, BROTLI_PARAM_QUALITY, ZSTD_c_compressionLevel, ZSTD_c_windowLog } = constants

/** Fast rather than tight; the windows of streams are small, since there may be thousands. */
const brotli = (window: number) => ({ params: { [BROTLI_PARAM_QUALITY]: 4, [BROTLI_PARAM_LGWIN]: window } })
const zstd = (window: number) => ({ params: { [ZSTD_c_compressionLevel]: 3, [ZSTD_c_windowLog]: window } })

interface Compressor {
  readonly whole: (body: Buffer) => Promise<Buffer>
  readonly open: () => Transform & zlib.Zlib
  /** How it is flushed without forgetting what it has seen. */
  readonly flush: number
}

const compressors: Readonly<Record<Coding, Compressor>> = {
  zstd: {
    whole: body => promisify(zlib.zstdCompress)(body, zstd(20)),
    open: () => zlib.createZstdCompress(zstd(17)),
    flush: constants.ZSTD_e_flush,
  },
  br: {
    whole: body => promisify(zlib.brotliCompress)(body, brotli(20)),
    open: () => zlib.createBrotliCompress(brotli(17)),
    flush: constants.BROTLI_OPERATION_FLUSH,
  },
  gzip: {
    whole: body => promisify(zlib.gzip)(body),
    open: () => zlib.createGzip(),
    flush: constants.Z_SYNC_FLUSH,
  },
}

const here: readonly Coding[] = (['zstd', 'br', 'gzip'] as const).filter(
  coding => coding !== 'zstd' || typeof zlib.zstdCompress === 'function',
)

const offers = new WeakMap<ServerResponse, CompressionOptions | true>()

/** What is answered with this response may be compressed, unless its route says otherwise. */
export function offerCompression(response: ServerResponse, options: CompressionOptions | true): void {
  offers.set(response, options)
}

/** What is said of compressing an answer: by its route, or else by the application. */
export function offeredFor(response: ServerResponse, ofRoute: unknown): CompressionOptions | boolean {
  const offered = ofRoute === undefined || ofRoute === true ? (offers.get(response) ?? ofRoute) : ofRoute
  return (offered ?? false) as CompressionOptions | boolean
}

/** An answer that is about to be written, as far as compressing it is concerned. */
export interface Encodable {
  readonly response: ServerResponse
  readonly status: number
  /** The value of a field of its head. */
  readonly field: (name: string) => unknown
  /** Bytes of its content, where that is known. */
  readonly length: () => number | undefined
  /** What its route says: `true` for what the application says of it, if it says anything. */
  readonly options: unknown
}

/** Statuses whose content, if any, is a part of another one, or none (RFC 9110 §15). */
const PARTIAL: ReadonlySet<number> = new Set([204, 205, 206, 304, 416])

/**
 * The coding that an answer is to be sent in; undefined for as it is. Where that depends on what the peer accepts, caches
 * are told so, whatever comes of it. A peer that refuses `identity` gets what is small compressed, too.
 */
export function chooseCoding({ response, status, field, length, options }: Encodable): Coding | undefined {
  const given = offeredFor(response, options)
  if (given === false || PARTIAL.has(status) || !isEncodable(field)) return undefined
  addVary(response, 'Accept-Encoding')
  const { threshold = THRESHOLD, encodings = here } = given === true ? {} : given
  const accepted = negotiateCoding(response, encodings)
  const size = length()
  const isSmall = size !== undefined && (size === 0 || (size < threshold && accepted.includes('identity')))
  const [best = 'identity'] = accepted
  return isSmall || best === 'identity' ? undefined : (best as Coding)
}

/** The coding for an event stream of a route that asks for compression. */
export function chooseStreamCoding(response: ServerResponse): Coding | undefined {
  addVary(response, 'Accept-Encoding')
  const [best = 'identity'] = negotiateCoding(response, here)
  return best === 'identity' || response.hasHeader('Content-Encoding') ? undefined : (best as Coding)
}

function negotiateCoding({ req }: ServerResponse, encodings: readonly Coding[]): readonly string[] {
  const accept = req.headers['accept-encoding']
  return acceptedEncodings(
    Array.isArray(accept) ? accept.join(', ') : accept,
    encodings.filter(coding => here.includes(coding)),
  )
}

/** Text that the lists of media types do not know. */
const LINES_OF_JSON = /^application\/(x-)?(ndjson|jsonl|json-seq)\b/i

/** Never twice, never against `no-transform` (RFC 9110 §7.7), and nothing that is compressed in itself. */
function isEncodable(field: Encodable['field']): boolean {
  if (field('Content-Encoding') !== undefined || field('Content-Range') !== undefined) return false
  if (/\bno-transform\b/i.test(String(field('Cache-Control') ?? ''))) return false
  const type = String(field('Content-Type') ?? '')
  return compressible()(type) === true || LINES_OF_JSON.test(type)
}

/** A strong tag stands for bytes: those of another coding are other bytes (RFC 9110 §8.8.3). */
export function weaken(tag: string): string {
  return tag.startsWith('W/') ? tag : `W/${tag}`
}

export function compressWhole(body: Buffer, coding: Coding): Promise<Buffer> {
  return compressors[coding].whole(body)
}

export function openEncoder(coding: Coding): Encoder {
  const { open, flush } = compressors[coding]
  const stream = open()
  return { stream, flush: done => stream.flush(flush, done) }
}
