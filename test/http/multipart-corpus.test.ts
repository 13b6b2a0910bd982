/** The bodies of busboy's own multipart tests (test-types-multipart.js), written anew: the same fields and files. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Body, Controller, type Fields, Files, Post, type Upload, type UploadOptions } from '../../src/index.js'
import { rawRequest } from '../support/raw-peer.js'
import { serveSuite } from '../support/serve.js'

type FileRow = readonly [name: string, filename: string, type: string, content: string]

interface Case {
  readonly boundary: string
  /** What is sent; lines in an inner array are joined by CRLF. */
  readonly source: readonly (string | readonly string[])[]
  readonly limits?: UploadOptions
  readonly fields?: Readonly<Record<string, string>>
  readonly files?: readonly FileRow[]
  /** Where it is refused: the status, and the limit that was exceeded. */
  readonly status?: number
  readonly exceeded?: string
}

const dashes = '---------------------------paZqsnEHRufoShdX6fh0lUhXBP4k'
const webkit = '----WebKitFormBoundaryTB2MiQ36fnSJlrhY'
const octets = 'Content-Type: application/octet-stream'
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

const field = (name: string) => `Content-Disposition: form-data; name="${name}"`
const file = (name: string, filename: string) => `${field(name)}; filename="${filename}"`

const fieldsAndFiles = [
  `--${dashes}`,
  field('file_name_0'),
  '',
  'super alpha file',
  `--${dashes}`,
  field('file_name_1'),
  '',
  'super beta file',
  `--${dashes}`,
  file('upload_file_0', '1k_a.dat'),
  octets,
  '',
  'A'.repeat(1023),
  `--${dashes}`,
  file('upload_file_1', '1k_b.dat'),
  octets,
  '',
  'B'.repeat(1023),
  `--${dashes}--`,
]

const oneOfEach = [
  `--${dashes}`,
  field('file_name_0'),
  '',
  'super alpha file',
  `--${dashes}`,
  file('upload_file_0', '1k_a.dat'),
  octets,
  '',
  alphabet,
  `--${dashes}--`,
]

/** Text files under these names, one character after another in them. */
const texts = (...rows: readonly [filename: string, content: string][]) => [
  ...rows.flatMap(([filename, content], index) => [
    `--${dashes}`,
    file(`upload_file_${index}`, filename),
    'Content-Type: text/plain; charset=utf8',
    '',
    content,
  ]),
  `--${dashes}--`,
]

/** Where busboy passes over a part without a disposition, the form is 400 here (RFC 7578 §4.2). */
const corpus: Record<string, Case> = {
  'fields and files': {
    boundary: dashes,
    source: [fieldsAndFiles],
    fields: { file_name_0: 'super alpha file', file_name_1: 'super beta file' },
    files: [
      ['upload_file_0', '1k_a.dat', 'application/octet-stream', 'A'.repeat(1023)],
      ['upload_file_1', '1k_b.dat', 'application/octet-stream', 'B'.repeat(1023)],
    ],
  },
  'fields only': {
    boundary: webkit,
    source: [
      [
        `--${webkit}`,
        field('cont'),
        '',
        'some random content',
        `--${webkit}`,
        field('pass'),
        '',
        'some random pass',
        `--${webkit}`,
        'Content-Disposition: form-data; name=bit',
        '',
        '2',
        `--${webkit}--`,
      ],
    ],
    fields: { cont: 'some random content', pass: 'some random pass', bit: '2' },
  },
  'no fields and no files': { boundary: webkit, source: ['\r\n'], status: 400 },
  'limits of sizes, a field’s': {
    boundary: dashes,
    source: [oneOfEach],
    limits: { fieldSize: 5 },
    status: 413,
    exceeded: 'fieldSize',
  },
  'limits of sizes, a file’s': {
    boundary: dashes,
    source: [oneOfEach],
    limits: { fileSize: 13 },
    status: 413,
    exceeded: 'fileSize',
  },
  'names of files with paths in them': {
    boundary: dashes,
    source: [
      ['/tmp/1k_a.dat', 'C:\\files\\1k_b.dat', 'relative/1k_c.dat']
        .flatMap((path, index) => [`--${dashes}`, file(`upload_file_${index}`, path), octets, '', alphabet])
        .concat(`--${dashes}--`),
    ],
    files: ['1k_a.dat', '1k_b.dat', '1k_c.dat'].map((name, index) => [
      `upload_file_${index}`,
      name,
      'application/octet-stream',
      alphabet,
    ]),
  },
  'an empty type and an empty disposition': {
    boundary: webkit,
    source: [
      [
        `--${webkit}`,
        field('cont'),
        'Content-Type: ',
        '',
        'some random content',
        `--${webkit}`,
        'Content-Disposition: ',
        '',
        'some random pass',
        `--${webkit}--`,
      ],
    ],
    status: 400,
  },
  'names of files beyond ASCII': {
    boundary: dashes,
    source: [
      [
        `--${dashes}`,
        'Content-Disposition: form-data; name="file"; filename*=utf-8\'\'n%C3%A4me.txt',
        octets,
        '',
        alphabet,
        `--${dashes}--`,
      ],
    ],
    files: [['file', 'näme.txt', 'application/octet-stream', alphabet]],
  },
  'a form that stops in a header section': {
    boundary: 'asdasdasdasd',
    source: [
      [
        '--asdasdasdasd\r\n',
        'Content-Type: text/plain\r\n',
        'Content-Disposition: form-data; name="foo"\r\n',
        '\r\n',
        'asd\r\n',
        '--asdasdasdasd--',
      ].join(':)'),
    ],
    status: 400,
  },
  'a type of a field': {
    boundary: webkit,
    source: [[`--${webkit}`, field('cont'), 'Content-Type: application/json', '', '{}', `--${webkit}--`]],
    fields: { cont: '{}' },
  },
  'an empty form': { boundary: webkit, source: [`--${webkit}--`] },
  'a form that stops before a file': {
    boundary: dashes,
    source: [
      [
        `--${dashes}`,
        'Content-Disposition: form-data; name=upload_file_0; filename="1k_a.dat"',
        octets,
        'Content-Transfer-Encoding: binary',
        '',
        '',
      ],
    ],
    status: 400,
  },
  'a form that stops in a file': {
    boundary: dashes,
    source: [
      [`--${dashes}`, 'Content-Disposition: form-data; name=upload_file_0; filename="1k_a.dat"', octets, '', 'a'],
    ],
    status: 400,
  },
  'a text file with a charset': {
    boundary: dashes,
    source: [texts(['notes.txt', 'a'])],
    files: [['upload_file_0', 'notes.txt', 'text/plain', 'a']],
  },
  'a folded header line': {
    boundary: dashes,
    source: [
      [
        `--${dashes}`,
        file('upload_file_0', 'notes.txt'),
        'Content-Type: ',
        ' text/plain; charset=utf8',
        '',
        'a',
        `--${dashes}--`,
      ],
    ],
    files: [['upload_file_0', 'notes.txt', 'text/plain', 'a']],
  },
  'no disposition': {
    boundary: dashes,
    source: [[`--${dashes}`, 'Content-Type: text/plain; charset=utf8', '', 'a', `--${dashes}--`]],
    status: 400,
  },
  'a large field': {
    boundary: dashes,
    source: [
      [
        `--${dashes}`,
        field('file_name_0'),
        '',
        'a'.repeat(64 * 1024),
        `--${dashes}`,
        file('upload_file_0', 'notes.txt'),
        'Content-Type: ',
        ' text/plain; charset=utf8',
        '',
        'bc',
        `--${dashes}--`,
      ],
    ],
    fields: { file_name_0: 'a'.repeat(64 * 1024) },
    files: [['upload_file_0', 'notes.txt', 'text/plain', 'bc']],
  },
  'limit of parts': { boundary: dashes, source: [oneOfEach], limits: { parts: 1 }, status: 413, exceeded: 'parts' },
  'limit of fields': {
    boundary: dashes,
    source: [fieldsAndFiles],
    limits: { fields: 1 },
    status: 413,
    exceeded: 'fields',
  },
  'limit of files': {
    boundary: dashes,
    source: [texts(['notes.txt', 'ab'], ['notes2.txt', 'cd'])],
    limits: { files: 1 },
    status: 413,
    exceeded: 'files',
  },
  'a header section that is too large': {
    boundary: dashes,
    source: [texts([`${'a'.repeat(64 * 1024)}.txt`, 'ab'], ['notes2.txt', 'cd'])],
    status: 413,
    exceeded: 'headerSize',
  },
  'what may be the beginning of a boundary does not hold a file up': {
    boundary: dashes,
    source: [texts(['notes.txt', `${'a'.repeat(31)}\r`]).slice(0, -1), 'b'.repeat(40), `\r\n--${dashes}--`],
    files: [['upload_file_0', 'notes.txt', 'text/plain', `${'a'.repeat(31)}\r${'b'.repeat(40)}`]],
  },
  'the limit of header sections is one for each part': {
    boundary: dashes,
    source: [
      texts([`${'a'.repeat(8000)}.txt`, 'ab'], [`${'b'.repeat(8000)}.txt`, 'cd'], [`${'c'.repeat(8000)}.txt`, 'ef']),
    ],
    files: [
      ['upload_file_0', `${'a'.repeat(8000)}.txt`, 'text/plain', 'ab'],
      ['upload_file_1', `${'b'.repeat(8000)}.txt`, 'text/plain', 'cd'],
      ['upload_file_2', `${'c'.repeat(8000)}.txt`, 'text/plain', 'ef'],
    ],
  },
  'an empty part': {
    boundary: 'd1bf46b3-aa33-4061-b28d-6c5ced8b08ee',
    source: [
      '\r\n--d1bf46b3-aa33-4061-b28d-6c5ced8b08ee\r\n',
      'Content-Type: application/gzip\r\nContent-Encoding: gzip\r\nContent-Disposition: form-data; name=batch-1; filename=batch-1\r\n\r\n',
      '\r\n--d1bf46b3-aa33-4061-b28d-6c5ced8b08ee--',
    ],
    files: [['batch-1', 'batch-1', 'application/gzip', '']],
  },
}

/** A controller for each set of limits that the corpus asks for. */
function controllerFor(path: string, uploads: UploadOptions) {
  @Controller(path)
  class Corpus {
    @Post('/', { uploads })
    async take(@Body() fields: Fields, @Files({ to: 'memory' }) files: Upload[]) {
      const read = files.map(async each => [each.name, each.filename, each.type, await each.text()])
      return { fields, files: await Promise.all(read) }
    }
  }
  return Corpus
}

describe('P18: the corpus of busboy gives the same fields and files', () => {
  const cases = Object.entries(corpus)
  const served = serveSuite({
    controllers: cases.map(([, { limits = {} }], index) => controllerFor(`/${index}`, limits)),
  })

  for (const [
    index,
    [what, { boundary, source, fields = {}, files = [], status = 200, exceeded }],
  ] of cases.entries()) {
    const pieces = source.map(piece => Buffer.from(typeof piece === 'string' ? piece : piece.join('\r\n')))
    const bytes = Buffer.concat(pieces)
    for (const [how, chunks] of [
      ['at once', [bytes]],
      ['in pieces', pieces],
      ['byte by byte', [...bytes].map(byte => Buffer.from([byte]))],
    ] as const) {
      test(`${what}, ${how}`, async () => {
        const head = `POST /${index} HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=${boundary}\r\n`
        const framed = chunks.map(chunk => `${chunk.length.toString(16)}\r\n${chunk.toString('latin1')}\r\n`).join('')
        const text = `${head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${framed}0\r\n\r\n`
        const raw = await rawRequest(served.port, text)
        assert.match(raw, new RegExp(`^HTTP/1\\.1 ${status} `))
        const answer = JSON.parse(Buffer.from(raw.slice(raw.indexOf('\r\n\r\n') + 4), 'latin1').toString())
        if (status === 200) assert.deepEqual(answer, { fields, files })
        else assert.equal(answer.exceeded, exceeded)
      })
    }
  }
})
