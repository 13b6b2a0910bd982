import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { Body, Controller, type Fields, Files, Post, type Upload } from '../../src/index.js'
import { BOUNDARY, body, field, multipartType, postHead, upload } from '../support/multipart.js'
import { RawPeer, rawRequest } from '../support/raw-peer.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'

@Controller()
class Forms {
  @Post('/')
  async take(@Body() fields: Fields, @Files({ to: 'memory' }) uploads: Upload[]) {
    const files = uploads.map(async each => [each.name, each.filename ?? '', each.type, await each.text()])
    return { fields, files: await Promise.all(files) }
  }
}

interface Sent {
  readonly type?: string
  readonly body: string | Buffer
}

const part = (head: string, content = 'x') => `--${BOUNDARY}\r\n${head}\r\n\r\n${content}\r\n`
const end = `--${BOUNDARY}--`
const named = 'Content-Disposition: form-data; name="a"'
const fine = body([field('a', 'b')])

const malformed: Record<string, Sent & { status?: number; detail: RegExp }> = {
  'no boundary': { type: 'multipart/form-data', body: fine, detail: /no boundary/ },
  'an empty boundary': { type: 'multipart/form-data; boundary=""', body: fine, detail: /no boundary/ },
  'a boundary of 71 characters': { type: multipartType('b'.repeat(71)), body: fine, detail: /of 1 to 70 characters/ },
  'a boundary with a quote': { type: 'multipart/form-data; boundary="a\\"b"', body: fine, detail: /no boundary/ },
  'a boundary that ends with a space': { type: 'multipart/form-data; boundary="a "', body: fine, detail: /boundary/ },
  'another boundary than it says': { type: multipartType('another'), body: fine, detail: /Unexpected end of form/ },
  'no final boundary': { body: part(named), detail: /Unexpected end of form/ },
  'a boundary that is cut': { body: fine.subarray(0, -5), detail: /Unexpected end of form/ },
  'a header section that is cut': { body: `--${BOUNDARY}\r\n${named}`, detail: /Malformed part header|Unexpected end/ },
  'content that is cut': { body: part(named).slice(0, -3), detail: /Unexpected end of form/ },
  'a file that is cut': { body: part(`${named}; filename="f"`, 'half'), detail: /Unexpected end of (form|file)/ },
  'text in place of a form': { body: 'a=b&c=d', detail: /Unexpected end of form/ },
  'a header line without a colon': { body: part(`${named}\r\nwhat is this`) + end, detail: /Malformed part header/ },
  'a header line without a name': { body: part(`${named}\r\n: value`) + end, detail: /Malformed part header/ },
  'a NUL in a header section': { body: part(`${named}\r\nX: a\0b`) + end, detail: /Malformed part header/ },
  'a bare CR in a header section': { body: part(`${named}\r\nX: a\rb`) + end, detail: /Malformed part header/ },
  'a delimiter in a header section': {
    body: `--${BOUNDARY}\r\n${named}; filename="f"\r\n${part('', 'x')}${end}`,
    detail: /a delimiter is in the header section/,
  },
  'a delimiter right behind a header section': {
    body: `--${BOUNDARY}\r\n${named}\r\n\r\n${part('Content-Disposition: form-data; name="b"')}${end}`,
    detail: /a delimiter is in the header section of a part, or right behind it/,
  },
  'a file that ends before its header section does': {
    body: `--${BOUNDARY}\r\n${named}; filename="f"\r\n\r\n--${BOUNDARY}\r\n${end}`,
    detail: /a delimiter is in the header section of a part, or right behind it/,
  },
  'a field without a name': { body: part('Content-Disposition: form-data') + end, detail: /has no name/ },
  'a field with an empty name': { body: part('Content-Disposition: form-data; name=""') + end, detail: /has no name/ },
  'a file without a name of its field': {
    body: part('Content-Disposition: form-data; filename="x"') + end,
    detail: /has no name/,
  },
  'a part without a disposition': {
    body: part(named) + part('X: y') + end,
    detail: /no Content-Disposition of form-data/,
  },
  'a part of another disposition': {
    body: part(named) + part('Content-Disposition: attachment; name="b"') + end,
    detail: /no Content-Disposition of form-data/,
  },
  'a part whose disposition cannot be read': {
    body: part('Content-Disposition: form-data; name="b') + end,
    detail: /no Content-Disposition of form-data/,
  },
  'a charset that nobody knows': {
    body: part(`${named}\r\nContent-Type: text/plain; charset=klingon`) + end,
    status: 415,
    detail: /charset of the field a is not read here/,
  },
}

/** The name of a file as it was sent, and as it is given. */
const filenames: Record<string, string> = {
  'filename="photo.png"': 'photo.png',
  'filename="/etc/passwd"': 'passwd',
  'filename="..\\..\\..\\boot.ini"': 'boot.ini',
  'filename="C:\\dir\\a b.txt"': 'a b.txt',
  'filename="../../../"': '',
  'filename=".."': '',
  'filename="."': '',
  'filename=".htaccess"': '.htaccess',
  'filename="a;b.txt"': 'a;b.txt',
  'filename="a\\"b.txt"': 'a"b.txt',
  'filename="ünï 🐎.txt"': 'ünï 🐎.txt',
  "filename*=UTF-8''n%C3%A4me.txt": 'näme.txt',
  "filename*=UTF-8'de'%e2%82%ac%20rates": '€ rates',
  "filename*=iso-8859-1''%e4.txt": 'ä.txt',
  'filename="plain.txt"; filename*=UTF-8\'\'sch%C3%B6n.txt': 'schön.txt',
  "filename*=UTF-8''..%2F..%2Fetc%2Fpasswd": 'passwd',
  "filename*=UTF-8''a%00b%0D%0Ac.txt": 'abc.txt',
  "filename*=UTF-8''%2e%2e": '',
}

/** A connection that brings in one turn what is pushed to it. */
class Wire extends Duplex {
  heard = ''

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.heard += chunk.toString()
    done()
  }
}

describe('P18: multipart bodies as they come', () => {
  const served = serveSuite({ controllers: [Forms] })
  const take = ({ type = multipartType(), body }: Sent) =>
    send(served.port, 'POST /', { headers: { 'Content-Type': type }, body })

  for (const [what, { status = 400, detail, ...sent }] of Object.entries(malformed)) {
    test(`${what} is ${status}`, async () => {
      const answer = await take(sent)
      assert.equal(answer.status, status, answer.text)
      assert.match((answer.json() as { detail: string }).detail, detail)
      assert.equal((await take({ body: fine })).status, 200)
    })
  }

  for (const [given, expected] of Object.entries(filenames)) {
    test(`a file with ${given} is called ${expected === '' ? 'nothing' : expected}`, async () => {
      const disposition = `Content-Disposition: form-data; name="a"; ${given}`
      const answer = await take({ body: Buffer.from(part(`${disposition}\r\nContent-Type: text/plain`) + end) })
      assert.deepEqual(answer.json(), { fields: {}, files: [['a', expected, 'text/plain', 'x']] })
    })
  }

  test('charsets of fields', async () => {
    const cases: [charset: string, bytes: Buffer, text: string][] = [
      ['utf-8', Buffer.from('ä€'), 'ä€'],
      ['UTF-8', Buffer.from('ä'), 'ä'],
      ['iso-8859-1', Buffer.from([0xe4]), 'ä'],
      ['utf-16le', Buffer.from('ä', 'utf16le'), 'ä'],
    ]
    for (const [charset, content, text] of cases) {
      const form = body([{ head: [named, `Content-Type: text/plain; charset=${charset}`], content }])
      assert.deepEqual((await take({ body: form })).json(), { fields: { a: text }, files: [] })
    }
  })

  test('a preamble, an epilogue, and lines that look like a boundary', async () => {
    const content = `\r\n--${BOUNDARY.slice(0, -1)}\r\n-${BOUNDARY}--\r\r\n\n--`
    const form = `what old readers show\r\n${part(named, content)}${end}\r\nbye`
    assert.deepEqual((await take({ body: form })).json(), { fields: { a: content }, files: [] })
  })

  test('what looks like a part in the epilogue is none', async () => {
    const late = `\r\n${part(`${named}; filename="f"`)}`
    for (const body of [`${part(named)}${end}${late}`, `${part(named)}${end}${late}${end}`])
      assert.deepEqual((await take({ body })).json(), { fields: { a: 'x' }, files: [] })
  })

  test('every kind of quoted boundary', async () => {
    for (const boundary of ['a b', "'()+_,-./:=?", 'x'.repeat(70), '----WebKitFormBoundaryTB2MiQ36fnSJlrhY']) {
      const answer = await take({
        type: `Multipart/Form-Data; boundary="${boundary}"`,
        body: body([field('a', 'b')], boundary),
      })
      assert.deepEqual(answer.json(), { fields: { a: 'b' }, files: [] })
    }
  })

  test('a form that comes byte by byte, in chunks', async () => {
    const form = body([field('a', 'b\r\n--a-boundar'), upload('f', 'x', '\r\n\r\n--'), field('c', '')])
    const chunks = [...form].map(byte => `1\r\n${String.fromCharCode(byte)}\r\n`).join('')
    const head = postHead('/', 'Transfer-Encoding: chunked', 'Connection: close')
    const raw = await rawRequest(served.port, `${head}${chunks}0\r\n\r\n`)
    const expected = { fields: { a: 'b\r\n--a-boundar', c: '' }, files: [['f', 'x', 'text/plain', '\r\n\r\n--']] }
    assert.deepEqual(JSON.parse(raw.slice(raw.indexOf('{'))), expected)
  })

  test('a form that is cut in two, anywhere', async () => {
    const form = body([field('a', 'b'), upload('f', 'x', 'content'), field('c', '')])
    const expected = { fields: { a: 'b', c: '' }, files: [['f', 'x', 'text/plain', 'content']] }
    const peer = await RawPeer.connect(served.port)
    for (let cut = 1; cut < form.length; cut++) {
      const chunks = [form.subarray(0, cut), form.subarray(cut)].map(
        chunk => `${chunk.length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`,
      )
      await peer.write(`${postHead('/', 'Transfer-Encoding: chunked')}${chunks.join('')}0\r\n\r\n`)
      const answer = await peer.readUntil(/"files":\[.*\]\}|\}$/)
      assert.deepEqual(JSON.parse(answer.slice(answer.indexOf('{'))), expected, `cut at ${cut}`)
    }
    peer.destroy()
  })

  /** What is answered to a form whose pieces come in one turn. */
  async function takeInOneTurn(pieces: readonly string[]): Promise<unknown> {
    const wire = new Wire()
    createServer(served.app.handler).emit('connection', wire)
    const chunks = pieces.map(piece => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('')
    wire.push(`${postHead('/', 'Transfer-Encoding: chunked', 'Connection: close')}${chunks}0\r\n\r\n`)
    await once(wire, 'finish')
    return JSON.parse(wire.heard.slice(wire.heard.indexOf('{')))
  }

  test('a delimiter ends a file, whatever is behind it', async () => {
    const file = part(`${named}; filename="f"`, `x\r\n--${BOUNDARY}nothing\r\n\r\n`)
    const answer = await takeInOneTurn([...file, ...part('Content-Disposition: form-data; name="b"'), ...end])
    assert.deepEqual(answer, { fields: { b: 'x' }, files: [['a', 'f', 'text/plain', 'x']] })
  })

  test('what the parser has not come to yet stays in front of what comes behind it', async () => {
    const file = part(`${named}; filename="f"`, `${'x'.repeat(100_000)}\r123`)
    const answer = await takeInOneTurn([file.slice(0, -5), file.slice(-5, -4), file.slice(-4), end])
    assert.deepEqual(answer, { fields: {}, files: [['a', 'f', 'text/plain', `${'x'.repeat(100_000)}\r123`]] })
  })

  test('behind a form that was refused, and one that was read, the connection goes on', async () => {
    const peer = await RawPeer.connect(served.port)
    const post = (form: string) => peer.write(`${postHead('/', `Content-Length: ${form.length}`)}${form}`)
    await post(part(': broken') + 'x'.repeat(100_000))
    assert.match(await peer.readUntil('}'), /^HTTP\/1\.1 400 /)
    await post(fine.toString())
    assert.match(await peer.readUntil('"files":[]}'), /HTTP\/1\.1 200 OK/)
    peer.destroy()
  })

  test('413 and 400 are heard by a peer that sends all before it listens', async () => {
    const answers = await Promise.all([
      take({ body: Buffer.alloc(8 << 20, 'x') }),
      take({ body: Buffer.concat([Buffer.from(part(': broken')), Buffer.alloc(6 << 20)]) }),
      take({ body: Buffer.concat([Buffer.from(part(`${named}; filename="x"`).slice(0, -2)), Buffer.alloc(34 << 20)]) }),
    ])
    assert.deepEqual(
      answers.map(answer => answer.status),
      [400, 400, 413],
    )
  })

  test('nothing of what peers send is logged', () => assert.deepEqual(served.log, []))
})
