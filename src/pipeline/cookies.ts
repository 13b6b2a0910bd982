/** Cookies (RFC 6265): read, signed, and set. The only file that knows the `cookie` package, which has their grammar. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type * as Cookie from 'cookie'
import { lazily } from './lazily.js'

const cookie = lazily<typeof Cookie>('cookie')

/** What a browser is told of a cookie (RFC 6265 §4.1.2). */
export interface CookieOptions {
  /** Whether the pages' scripts are kept from it. @default true */
  readonly httpOnly?: boolean
  /** Which requests from other sites carry it: `lax` those that open a page by a link. @default 'lax' */
  readonly sameSite?: 'strict' | 'lax' | 'none'
  /**
   * Whether it is sent over TLS only. The names `__Host-…` and `__Secure-…`, `sameSite: 'none'` and `partitioned` ask for
   * that, and `false` contradicts them. @default whether this request came over TLS; behind a proxy that ends TLS, say it
   */
  readonly secure?: boolean
  /** The path under which it is sent. @default '/' */
  readonly path?: string
  /** The domain whose subdomains get it, too. @default none: this host alone */
  readonly domain?: string
  /** Milliseconds that it is kept; 0 removes it. @default none: until the browser is closed */
  readonly maxAge?: number
  /** Whether it is kept apart for each site that embeds this one (CHIPS). @default false */
  readonly partitioned?: boolean
  /** Whether it is signed with the newest of the application's `cookieKeys`; to be read with `signed`. @default false */
  readonly signed?: boolean
}

/** A cookie to be set. */
export interface SetCookie extends CookieOptions {
  /** A token (RFC 6265 §4.1.1). */
  readonly name: string
  /** Text of any kind: what cookies cannot carry is escaped. */
  readonly value: string
}

/** The cookies of a request, by their names, without a prototype. */
export type Cookies = Readonly<Record<string, string | undefined>>

/** Bytes of a cookie, its attributes included, that every browser keeps (RFC 6265 §6.1). */
const LIMIT = 4096

/** Broken escapes are left as they are; of several with one name the first is taken. */
export function readCookies(field: string | undefined): Cookies {
  return cookie().parseCookie(field ?? '')
}

/** The whole value of the `Set-Cookie` field. @throws TypeError for a cookie that no browser would keep */
export function writeCookie(cookie: SetCookie, overTls: boolean, keys: readonly string[]): string {
  checkCookie(cookie)
  const { name, value, signed = false, secure = overTls || mustBeSecure(cookie) } = cookie
  if (signed && keys.length === 0)
    throw new TypeError(`the cookie ${name} is to be signed: give the application its cookieKeys`)
  const sent = signed ? signCookie(name, value, keys[0] ?? '') : value
  return stringify({ ...attributesOf(cookie), value: sent, secure })
}

/** @throws TypeError for what cannot be meant, and for what the grammar does not allow */
export function checkCookie(cookie: SetCookie): void {
  const { name, value, secure, domain, path = '/', maxAge } = cookie
  if (typeof name !== 'string' || !/^[\w!#$%&'*+.^`|~-]+$/.test(name))
    throw new TypeError(`${JSON.stringify(name)} is no name for a cookie: it is a token (RFC 6265 §4.1.1)`)
  const refuse = (why: string) => {
    throw new TypeError(`the cookie ${name} ${why}`)
  }
  if (typeof value !== 'string' || !value.isWellFormed()) refuse('needs a string of well-formed text for its value')
  if (maxAge !== undefined && !(Number.isFinite(maxAge) && maxAge >= 0)) refuse(`cannot have the maxAge ${maxAge}`)
  if (domain === '') refuse('cannot have the domain of nothing')
  if (!path.startsWith('/')) refuse(`cannot have the path ${path}: it begins with a slash`)
  if (secure === false && mustBeSecure(cookie))
    refuse('must be secure: its name, its sameSite or its partitioned asks for that')
  if (/^__host-/i.test(name) && (domain !== undefined || path !== '/'))
    refuse("is for this host alone: it has no domain, and its path is '/'")
  stringify(attributesOf(cookie))
}

function stringify(attributes: Cookie.SetCookie): string {
  const { name } = attributes
  let line: string
  try {
    line = cookie().stringifySetCookie(attributes)
  } catch (error) {
    throw new TypeError(`the cookie ${name} cannot be set: ${(error as Error).message}`)
  }
  if (line.length <= LIMIT) return line
  throw new TypeError(`the cookie ${name} has ${line.length} bytes: browsers keep no more than ${LIMIT}`)
}

function attributesOf({ name, value, httpOnly = true, sameSite = 'lax', path = '/', ...rest }: SetCookie) {
  const { domain, maxAge, partitioned = false } = rest
  const kept = maxAge === undefined ? {} : { maxAge: Math.floor(maxAge / 1000) }
  return { name, value, httpOnly, sameSite, path, partitioned, ...kept, ...(domain === undefined ? {} : { domain }) }
}

function mustBeSecure({ name, sameSite, partitioned }: SetCookie): boolean {
  return /^__(host|secure)-/i.test(name) || sameSite === 'none' || partitioned === true
}

/** The name is signed, too: a value cannot be taken from one cookie to another. */
function signCookie(name: string, value: string, key: string): string {
  return `${value}.${createHmac('sha256', key).update(`${name}=${value}`).digest('base64url')}`
}

/** The value that one of the keys has signed; undefined for any other. */
export function verifyCookie(name: string, signed: string | undefined, keys: readonly string[]): string | undefined {
  const dot = signed?.lastIndexOf('.') ?? -1
  if (signed === undefined || dot === -1) return undefined
  const value = signed.slice(0, dot)
  const given = Buffer.from(signed)
  const isBy = (key: string) => {
    const expected = Buffer.from(signCookie(name, value, key))
    return expected.length === given.length && timingSafeEqual(expected, given)
  }
  return keys.some(isBy) ? value : undefined
}
