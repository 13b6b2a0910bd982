/** From a path that a peer may have named to an open file, or to nothing. */
import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { HttpError, notFound, unavailable } from '../errors.js'
import { acceptedEncodings } from '../pipeline/negotiate.js'
import type { FileBody, FilePolicy } from './file.js'

/** An open file, which is the finder's to close. */
export interface FoundFile {
  readonly handle: FileHandle
  readonly size: number
  readonly modified: Date
  /** Its entity tag (RFC 9110 §8.8.3), without quotes: other bytes, other tag. */
  readonly tag: string
  /** The coding of a sibling that was chosen in its place. */
  readonly coding?: string
}

/** Nothing hangs on a pipe that nobody writes to, and a link that comes in between is not followed. */
const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants

/** Files whose content stands compressed beside another's, the preferred first. */
const SIBLINGS: Readonly<Record<string, string>> = { br: '.br', zstd: '.zst', gzip: '.gz' }

/**
 * Opens the file that a body names. `'folder'` stands for one.
 * @param acceptEncoding of the peer, where a sibling may be sent
 * @throws HttpError 404 for what is not there and for what may not be asked for, 503 where the process has no descriptors left
 */
export async function findFile(
  { path, options }: FileBody,
  acceptEncoding: string | undefined,
): Promise<FoundFile | 'folder'> {
  const { root } = options
  const place = root === undefined ? path : await placeInside(root, path, options)
  const found = await openFile(place, root === undefined ? O_RDONLY : O_RDONLY | O_NOFOLLOW)
  const isPart = options.offset !== undefined || options.length !== undefined
  if (found === 'folder' || options.precompressed !== true || isPart) return found
  const sibling = await findSibling({ path, options }, place, found, acceptEncoding).catch(async error => {
    await found.handle.close()
    throw error
  })
  if (sibling === undefined) return found
  await found.handle.close()
  return sibling
}

/** The best sibling that the peer takes and that is no older than the file. */
async function findSibling(
  { path, options }: FileBody,
  place: string,
  { modified }: FoundFile,
  acceptEncoding: string | undefined,
): Promise<FoundFile | undefined> {
  for (const coding of acceptedEncodings(acceptEncoding, Object.keys(SIBLINGS))) {
    const ending = SIBLINGS[coding]
    if (ending === undefined) return undefined
    const body = {
      path: `${options.root === undefined ? place : path}${ending}`,
      options: { ...options, precompressed: false },
    }
    const sibling = await findFile(body, undefined).catch(isMissing)
    if (typeof sibling !== 'object') continue
    if (sibling.modified >= modified) return { ...sibling, coding, tag: `${sibling.tag}-${coding}` }
    await sibling.handle.close()
  }
  return undefined
}

function isMissing(error: unknown): undefined {
  if (error instanceof HttpError && error.status === 404) return undefined
  throw error
}

async function placeInside(root: string, path: string, { dotfiles, links = 'inside' }: FilePolicy): Promise<string> {
  const names = path.split('/')
  if (!names.every(name => isPlain(name, dotfiles))) throw notFound()
  const [top, place] = await Promise.all([realpath(root), realpath(join(root, ...names))]).catch(refuse)
  const isInside = place === top || place.startsWith(top.endsWith(sep) ? top : top + sep)
  const isFine = links === 'anywhere' || (links === 'inside' ? isInside : place === join(top, ...names))
  if (!isFine) throw notFound()
  return place
}

/** Whether a name stands for itself: no way up, no separator of any system, no end of a string in C. */
export function isPlain(name: string, dotfiles: FilePolicy['dotfiles']): boolean {
  if (name === '' || name === '.' || name === '..' || /[\0/\\]/.test(name)) return false
  if (name.startsWith('.') && dotfiles !== 'allow') return false
  return sep === '/' || !name.includes(':')
}

async function openFile(place: string, flags: number): Promise<FoundFile | 'folder'> {
  const handle = await open(place, flags | O_NONBLOCK).catch(refuse)
  try {
    const stats = await handle.stat({ bigint: true })
    if (stats.isFile()) {
      const tag = `${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}`
      return { handle, size: Number(stats.size), modified: stats.mtime, tag }
    }
    await handle.close()
    if (stats.isDirectory()) return 'folder'
  } catch (error) {
    await handle.close()
    throw error
  }
  throw notFound()
}

const MISSING: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ENAMETOOLONG',
  'ELOOP',
  'ENXIO',
  'ERR_INVALID_ARG_VALUE',
])

/** What may not be read is not there, as far as the peer learns; the log is told. */
function refuse(error: NodeJS.ErrnoException): never {
  const { code = '' } = error
  if (MISSING.has(code)) throw notFound()
  if (code === 'EACCES' || code === 'EPERM') throw notFound('', { cause: error })
  if (code === 'EMFILE' || code === 'ENFILE') throw unavailable('', { cause: error, headers: { 'Retry-After': '1' } })
  throw error
}
