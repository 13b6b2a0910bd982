import { declareParam } from './params.js'

/**
 * What a multipart body may cost: each limit that is passed is a 413 of its own, which names it. For an application in
 * `bootstrap(…, { uploads })`, for a route in `@Post(path, { uploads })`. All fields together are bounded by `bodyLimit`.
 */
export interface UploadOptions {
  /** Bytes of one upload at the most; `maxSize` of its parameter says it nearer. @default 33_554_432 (32 MiB) */
  readonly fileSize?: number
  /** Uploads at the most. @default 100 */
  readonly files?: number
  /** Fields at the most. @default 1_000 */
  readonly fields?: number
  /** Parts at the most, whatever they are. @default 1_100 */
  readonly parts?: number
  /** Bytes of the name of a field or an upload at the most. @default 256 */
  readonly fieldNameSize?: number
  /** Bytes of a field's value at the most. @default 1_048_576 (1 MiB) */
  readonly fieldSize?: number
  /** Bytes of the header fields of one part at the most; no more than 16_384. @default 8_192 (8 KiB) */
  readonly headerSize?: number
  /** Bytes of the whole body at the most. @default 134_217_728 (128 MiB) */
  readonly totalSize?: number
  /** Where temporary files are made; it is made when it is needed. @default `os.tmpdir()` */
  readonly directory?: string
}

/** What `@Files` is told. */
export interface FilesOptions {
  /**
   * Where the bytes go: `file`, a temporary file that is removed when the exchange ends; `memory`; `stream`, to the handler
   * while they arrive, which then is called when the first upload begins. @default 'file'
   */
  readonly to?: 'file' | 'memory' | 'stream'
  /** Media types that are taken, such as `image/png` or `image/*`, by what the peer says; others are 415. @default any */
  readonly types?: readonly string[]
  /** Bytes of one upload at the most; more is 413. @default the route's `fileSize` */
  readonly maxSize?: number
  /** Uploads at the most; more is 413. @default the route's `files` */
  readonly maxCount?: number
}

/** What `@File` is told. */
export interface FileOptions extends Omit<FilesOptions, 'maxCount'> {
  /** Whether the upload may be missing; if not, that is 422. @default false */
  readonly optional?: boolean
}

type Decorate = ReturnType<typeof declareParam>

/** The one upload of a multipart form under this name: an `Upload`, or undefined where it is optional. (RFC 7578) */
export function File(name: string, options?: FileOptions): Decorate {
  return declareParam({ source: 'file', name, ...(options === undefined ? {} : { options }) })
}

/**
 * The uploads of a multipart form under this name, or without a name all that no other parameter takes: an array of
 * `Upload`, and with `to: 'stream'` an `Uploads`, which is iterated while they arrive. (RFC 7578)
 */
export function Files(name: string, options?: FilesOptions): Decorate
export function Files(options?: FilesOptions): Decorate
export function Files(nameOrOptions?: string | FilesOptions, options?: FilesOptions): Decorate {
  const name = typeof nameOrOptions === 'string' ? nameOrOptions : undefined
  const given = typeof nameOrOptions === 'string' ? options : (nameOrOptions ?? options)
  return declareParam({
    source: 'files',
    ...(name === undefined ? {} : { name }),
    ...(given === undefined ? {} : { options: given }),
  })
}
