/** However a form is cut on its way, its parts are what was sent: most of a file goes past the parser. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Body, Controller, type Fields, Files, Post, type Upload, type Uploads } from '../../src/index.js'
import { BOUNDARY, body, field, type Part, postHead, temporaryDirectory, upload } from '../support/multipart.js'
import { fc } from '../support/properties.js'
import { RawPeer } from '../support/raw-peer.js'
import { serve } from '../support/serve.js'

const temporary = await temporaryDirectory()

type Read = [name: string, content: string]

async function read(each: Upload): Promise<Read> {
  return [each.name, (await each.bytes()).toString('latin1')]
}

@Controller()
class Cut {
  @Post('/memory')
  async memory(@Body() fields: Fields, @Files({ to: 'memory' }) files: Upload[]) {
    return { fields, files: await Promise.all(files.map(read)) }
  }
  @Post('/file')
  async file(@Body() fields: Fields, @Files() files: Upload[]) {
    return { fields, files: await Promise.all(files.map(read)) }
  }
  @Post('/stream')
  async stream(@Files({ to: 'stream' }) uploads: Uploads) {
    const files: Read[] = []
    for await (const each of uploads) files.push(await read(each))
    return { fields: uploads.fields, files }
  }
}

const DELIMITER = `\r\n--${BOUNDARY}`

/** What is nearly a delimiter, in all its lengths, and what is not. */
const piece = fc.oneof(
  fc.integer({ min: 1, max: DELIMITER.length - 1 }).map(length => DELIMITER.slice(0, length)),
  fc.integer({ min: 1, max: DELIMITER.length - 1 }).map(length => DELIMITER.slice(length)),
  fc.constantFrom('x', '\r', '\n', '\0', 'ÿ', 'some text\r\n', '-'.repeat(40)),
)
const content = fc
  .array(piece, { maxLength: 12 })
  .map(pieces => pieces.join(''))
  .filter(text => `\r\n${text}${DELIMITER}`.indexOf(DELIMITER) === text.length + 2)

interface Sent {
  readonly kind: 'field' | 'file' | 'nameless file'
  readonly content: string
}

const form = fc.array(fc.record<Sent>({ kind: fc.constantFrom('field', 'file', 'file', 'nameless file'), content }), {
  maxLength: 5,
})

const cuts = fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 20 })

function partOf({ kind, content }: Sent, index: number): Part {
  const bytes = Buffer.from(content, 'latin1')
  if (kind === 'field') return { ...field(`p${index}`, ''), content: bytes }
  if (kind === 'file') return upload(`p${index}`, 'x.bin', bytes)
  const head = [`Content-Disposition: form-data; name="p${index}"`, 'Content-Type: application/octet-stream']
  return { head, content: bytes }
}

/** A file without a name and without content is none: nothing was chosen. */
function expected(sent: readonly Sent[]): { fields: Record<string, string>; files: Read[] } {
  const named = sent.map((each, index) => ({ ...each, name: `p${index}` }))
  const fields = named.filter(({ kind }) => kind === 'field')
  const files = named.filter(({ kind, content }) => kind === 'file' || (kind === 'nameless file' && content !== ''))
  return {
    fields: Object.fromEntries(fields.map(each => [each.name, Buffer.from(each.content, 'latin1').toString()])),
    files: files.map(each => [each.name, each.content]),
  }
}

/** The bytes as chunks of these sizes, again and again. */
function chunked(bytes: Buffer, sizes: readonly number[]): Buffer {
  const chunks: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const chunk = bytes.subarray(at, at + (sizes[turn % sizes.length] ?? 1))
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'))
    at += chunk.length
  }
  return Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')])
}

test('P18: parts are what was sent, however the form is cut', async t => {
  const { port, log } = await serve(t, { controllers: [Cut] }, { uploads: { directory: temporary.path } })
  const peer = await RawPeer.connect(port)
  t.after(() => peer.destroy())
  await fc.assert(
    fc.asyncProperty(form, cuts, fc.constantFrom('/memory', '/file', '/stream'), async (sent, sizes, path) => {
      const head = Buffer.from(postHead(path, 'Transfer-Encoding: chunked'))
      await peer.write(Buffer.concat([head, chunked(body(sent.map(partOf)), sizes)]))
      const [, length] = /content-length: (\d+)\r\n/i.exec(await peer.readUntil('\r\n\r\n')) ?? []
      const text = await peer.readBytes(Number(length))
      assert.deepEqual(JSON.parse(Buffer.from(text, 'latin1').toString()), expected(sent))
    }),
    { numRuns: 1500 },
  )
  assert.deepEqual(log, [])
})
