import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { type Answer, send } from './send.js'

export const BOUNDARY = 'a-boundary'

/** The header section of a part, without the empty line behind it, and its content. */
export interface Part {
  readonly head: readonly string[]
  readonly content: string | Uint8Array
}

export function field(name: string, content: string): Part {
  return { head: [`Content-Disposition: form-data; name="${name}"`], content }
}

export function upload(name: string, filename: string, content: string | Uint8Array, type = 'text/plain'): Part {
  return {
    head: [`Content-Disposition: form-data; name="${name}"; filename="${filename}"`, `Content-Type: ${type}`],
    content,
  }
}

/** Parts as they go over the wire; strings are UTF-8. */
export function body(parts: readonly Part[], boundary = BOUNDARY): Buffer {
  const bytes = parts.flatMap(({ head, content }) => [
    Buffer.from(`--${boundary}\r\n${head.map(line => `${line}\r\n`).join('')}\r\n`),
    Buffer.from(content as string),
    Buffer.from('\r\n'),
  ])
  return Buffer.concat([...bytes, Buffer.from(`--${boundary}--\r\n`)])
}

export function multipartType(boundary = BOUNDARY): string {
  return `multipart/form-data; boundary=${boundary}`
}

/** Posts a form on a connection of its own. */
export function post(port: number, path: string, form: readonly Part[] | string | Uint8Array): Promise<Answer> {
  const bytes = typeof form === 'string' || form instanceof Uint8Array ? form : body(form)
  return send(port, `POST ${path}`, { headers: { 'Content-Type': multipartType() }, body: bytes })
}

/** The head of a raw request that posts a form. */
export function postHead(path: string, ...fields: string[]): string {
  const lines = [`POST ${path} HTTP/1.1`, 'Host: a', `Content-Type: ${multipartType()}`, ...fields]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A directory for temporary files that is there for all tests of a file; what is in it now is told by `list`. */
export async function temporaryDirectory(): Promise<{ readonly path: string; list(): string[] }> {
  const path = await mkdtemp(join(tmpdir(), 'palomino-test-'))
  after(() => rm(path, { recursive: true, force: true }))
  return { path, list: () => readdirSync(path) }
}
