import { statSync } from 'node:fs'
import { type Checks, check, wrongOptions } from '../declare/options.js'
import { ConfigurationError, HttpError } from '../errors.js'
import { FileBody, type FilePolicy, filePolicy, pathOf } from '../http/file.js'
import { sendFound } from '../http/file-reply.js'
import { findFile, isPlain } from '../http/find-file.js'
import { sendReply } from '../http/reply.js'
import { defaultLogger } from '../logger.js'
import { Front } from '../pipeline/front.js'
import { addVary } from '../pipeline/negotiate.js'
import { reply } from '../pipeline/reply.js'
import { RequestContext, readTarget } from '../pipeline/request-context.js'
import { standInRoute } from '../routing/table.js'
import { asksForWebSocket } from '../websocket/upgrade.js'
import type { Middleware } from './middleware.js'
import { offerGet } from './offers.js'

/** What `serveFiles` is told. */
export interface ServeFilesOptions extends FilePolicy {
  /** The file that stands for its folder; `false` where none does. @default 'index.html' */
  readonly index?: string | false
}

const known: Checks<ServeFilesOptions> = {
  ...filePolicy,
  index: value => (value === false ? undefined : check.text(value) && 'the name of a file, or false'),
}

/**
 * Middleware that serves the files of a folder under a path, to GET and HEAD: `use: [serveFiles('/assets', 'public')]`.
 * What is not there is passed on, to a route or to 404, and so is what may not be asked for: a dotfile, a way out of the
 * folder. Other methods are passed on, too; where no route takes them, and a file is there, they are 405. A folder with an
 * index is sent to its closing slash.
 * @throws ConfigurationError for an option that cannot be meant, and for a folder that is not there
 */
export function serveFiles(prefix: string, root: string | URL, options: ServeFilesOptions = {}): Middleware {
  const folder = pathOf(root)
  const route = standInRoute(`serveFiles('${prefix}')`)
  const problems = wrongOptions(route.name, options, known)
  if (!prefix.startsWith('/')) problems.push(`${route.name}: the path should begin with a slash`)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    problems.push(`${route.name}: there is no folder ${folder}`)
  if (problems.length > 0) throw new ConfigurationError(problems)
  const top = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  const bodyOf = (names: readonly string[]) => new FileBody(names.join('/'), { ...options, root: folder })
  return (request, response, next) => {
    const { method, url = '/' } = request
    const target = readTarget(url)
    const names = asksForWebSocket(request) ? undefined : namesBehind(top, target.path, options)
    if (names === undefined) return next()
    if (method !== 'GET' && method !== 'HEAD') {
      offerGet(request, () => isThere(names, target.path.endsWith('/'), options, bodyOf))
      return next()
    }
    const context = new RequestContext(route, request, response, {}, target, 0, new Front(request, undefined))
    return answer(context, names, options, bodyOf, next).catch(error => {
      if (error instanceof HttpError && error.status === 404 && error.cause === undefined) next()
      else next(error)
    })
  }
}

/** The names of a path behind a prefix; undefined for what is not under it, or may not be asked for. */
function namesBehind(top: string, path: string, { dotfiles }: FilePolicy): readonly string[] | undefined {
  if (path === top || path === `${top}/`) return []
  if (!path.startsWith(`${top}/`)) return undefined
  try {
    const behind = path.slice(top.length + 1, path.endsWith('/') ? -1 : undefined)
    const names = behind.split('/').map(decodeURIComponent)
    return names.every(name => isPlain(name, dotfiles)) ? names : undefined
  } catch {
    return undefined
  }
}

/** Whether GET would be answered with a file. */
async function isThere(
  names: readonly string[],
  isFolder: boolean,
  { index = 'index.html' }: ServeFilesOptions,
  bodyOf: (names: readonly string[]) => FileBody,
): Promise<boolean> {
  if (isFolder && index === false) return false
  try {
    const found = await findFile(bodyOf(isFolder ? [...names, String(index)] : names), undefined)
    if (found === 'folder') return false
    await found.handle.close()
    return true
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return false
    throw error
  }
}

/** @throws HttpError 404 for what is not there */
async function answer(
  context: RequestContext,
  names: readonly string[],
  { index = 'index.html', precompressed }: ServeFilesOptions,
  bodyOf: (names: readonly string[]) => FileBody,
  next: (error?: unknown) => void,
): Promise<void> {
  const { request, response } = context
  const isFolder = context.path.endsWith('/')
  if (isFolder && index === false) return next()
  const body = bodyOf(isFolder ? [...names, String(index)] : names)
  const accept = String(request.headers['accept-encoding'] ?? '')
  const found = names.length === 0 && !isFolder ? 'folder' : await findFile(body, accept)
  if (found !== 'folder') {
    if (precompressed === true) addVary(response, 'Accept-Encoding')
    return sendFound(context, found, body, { status: 200, headers: {} }, defaultLogger, next)
  }
  if (isFolder || index === false) return next()
  const indexFile = await findFile(bodyOf([...names, index]), undefined)
  if (indexFile === 'folder') return next()
  await indexFile.handle.close()
  sendReply(context, reply(undefined, { status: 308, headers: { Location: withSlash(context) } }), defaultLogger, next)
}

/** Relative to what was asked for, so that it holds wherever this is mounted, and names no other host. */
function withSlash({ request }: RequestContext): string {
  const { path, queryString } = readTarget(request.url ?? '/')
  const location = `./${path.slice(path.lastIndexOf('/') + 1)}/`
  return queryString === '' ? location : `${location}?${queryString}`
}
