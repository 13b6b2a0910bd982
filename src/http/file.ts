import { fileURLToPath } from 'node:url'
import { type Check, type Checks, check, wrongOptions } from '../declare/options.js'
import { Reply, type ReplyOptions } from '../pipeline/reply.js'

/** How files below a root may be asked for. */
export interface FilePolicy {
  /** Whether names that begin with a dot are served. @default 'refuse' */
  readonly dotfiles?: 'refuse' | 'allow'
  /** Where symbolic links below the root may lead: `inside` of it, `anywhere`, or nowhere at all. @default 'inside' */
  readonly links?: 'inside' | 'anywhere' | 'never'
  /**
   * Whether `style.css.br`, `.zst` or `.gz` beside `style.css` is sent in its place, to peers that accept it. One that is
   * older than the file is not. @default false
   */
  readonly precompressed?: boolean
  /** Milliseconds for which the file is kept without asking again. @default none: it may be kept, and is asked for each time */
  readonly maxAge?: number
  /** Whether the file never changes under its name (RFC 8246), as with a hash in it. @default false */
  readonly immutable?: boolean
}

/** How `file` answers. */
export interface FileReplyOptions extends FilePolicy, ReplyOptions {
  /** The folder that the file is in: the path, which a peer may have named, leads nowhere else. @default none: any path */
  readonly root?: string | URL
  /** The byte that it begins at. @default 0 */
  readonly offset?: number
  /** How many bytes of it there are; less than that in the file is an error. @default all behind `offset` */
  readonly length?: number
  /** Whether browsers save it (RFC 6266), and under which name. @default false */
  readonly download?: boolean | string
}

/** A file as the body of a reply. */
export class FileBody {
  constructor(
    readonly path: string,
    readonly options: FileReplyOptions & { readonly root?: string },
  ) {}
}

/**
 * A file, as a reply: with its type, its `ETag` and its `Last-Modified`, conditional requests and ranges answered
 * (RFC 9110 §13, §14). One that is not there, or may not be read, is 404.
 * @param path of the file; with a `root`, names below that, with slashes between them
 */
export function file(path: string | URL, options: FileReplyOptions = {}): Reply {
  const [problem] = wrongOptions('file', options, known)
  if (problem !== undefined) throw new TypeError(problem)
  const { root, ...rest } = options
  const body = new FileBody(pathOf(path), root === undefined ? rest : { ...rest, root: pathOf(root) })
  return new Reply(body, options)
}

export function pathOf(path: string | URL): string {
  return typeof path === 'string' ? path : fileURLToPath(path)
}

const wholeNumber: Check = value =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : 'a whole number of bytes, from 0'
const place: Check = value => (typeof value === 'string' || value instanceof URL ? undefined : 'a path')

export const filePolicy: Checks<FilePolicy> = {
  dotfiles: check.oneOf('refuse', 'allow'),
  links: check.oneOf('inside', 'anywhere', 'never'),
  precompressed: check.flag,
  maxAge: value => (typeof value === 'number' && value >= 0 ? undefined : 'milliseconds, from 0'),
  immutable: check.flag,
}

const known: Checks<FileReplyOptions> = {
  ...filePolicy,
  root: place,
  offset: wholeNumber,
  length: wholeNumber,
  download: value => (typeof value === 'boolean' || typeof value === 'string' ? undefined : 'true, false, or a name'),
  status: check.count,
  headers: value => (typeof value === 'object' ? undefined : 'an object'),
  cookies: check.list,
}
