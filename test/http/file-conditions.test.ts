import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Controller, file, Get } from '../../src/index.js'
import { folderOf, tagOf } from '../support/folder.js'
import { send } from '../support/send.js'
import { serveSuite } from '../support/serve.js'

const root = folderOf({ 'digits.txt': '0123456789' })

@Controller()
class Files {
  @Get('/') digits() {
    return file(join(root, 'digits.txt'))
  }
}

const tag = tagOf(10)
const date = 'Mon, 06 May 2024 07:08:09 GMT'
const earlier = 'Mon, 06 May 2024 07:08:08 GMT'
const later = 'Mon, 06 May 2024 07:08:10 GMT'

/** The rows of RFC 9110 §13.2.2, in its order. */
const rows: [headers: Record<string, string>, status: number][] = [
  [{ 'If-None-Match': tag }, 304],
  [{ 'If-None-Match': `W/${tag}` }, 304],
  [{ 'If-None-Match': `"x", ${tag} ,"y"` }, 304],
  [{ 'If-None-Match': '*' }, 304],
  [{ 'If-None-Match': '"x"' }, 200],
  [{ 'If-None-Match': tag.slice(1, -1) }, 200],
  [{ 'If-None-Match': tag, 'Cache-Control': 'no-cache' }, 200],
  [{ 'If-Modified-Since': date }, 304],
  [{ 'If-Modified-Since': later }, 304],
  [{ 'If-Modified-Since': earlier }, 200],
  [{ 'If-Modified-Since': 'some day' }, 200],
  [{ 'If-None-Match': '"x"', 'If-Modified-Since': later }, 200],
  [{ 'If-None-Match': tag, 'If-Modified-Since': earlier }, 304],
  [{ 'If-Match': tag }, 200],
  [{ 'If-Match': '*' }, 200],
  [{ 'If-Match': `"x",${tag}` }, 200],
  [{ 'If-Match': '"x"' }, 412],
  [{ 'If-Match': `W/${tag}` }, 412],
  [{ 'If-Match': '' }, 412],
  [{ 'If-Unmodified-Since': date }, 200],
  [{ 'If-Unmodified-Since': later }, 200],
  [{ 'If-Unmodified-Since': earlier }, 412],
  [{ 'If-Unmodified-Since': 'some day' }, 200],
  [{ 'If-Match': tag, 'If-Unmodified-Since': earlier }, 200],
  [{ 'If-Match': '"x"', 'If-None-Match': tag }, 412],
  [{ 'If-Match': tag, 'If-None-Match': tag }, 304],
  [{ 'If-None-Match': tag, Range: 'bytes=0-1' }, 304],
  [{ 'If-Match': '"x"', Range: 'bytes=0-1' }, 412],
  [{ Range: 'bytes=2-3', 'If-Range': tag }, 206],
  [{ Range: 'bytes=2-3', 'If-Range': `W/${tag}` }, 200],
  [{ Range: 'bytes=2-3', 'If-Range': '"x"' }, 200],
  [{ Range: 'bytes=2-3', 'If-Range': date }, 206],
  [{ Range: 'bytes=2-3', 'If-Range': later }, 200],
  [{ Range: 'bytes=2-3', 'If-Range': earlier }, 200],
  [{ Range: 'bytes=90-', 'If-Range': '"x"' }, 200],
  [{ Range: 'bytes=90-', 'If-Range': tag }, 416],
]

describe('P19: conditional requests for a file', () => {
  const served = serveSuite({ controllers: [Files] })

  for (const [headers, status] of rows) {
    const shown = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
    for (const method of ['GET', 'HEAD'] as const) {
      const expected = method === 'HEAD' && (status === 206 || status === 416) ? 200 : status
      test(`${method} with ${shown.join(', ').replaceAll(tag, 'its tag')} is ${expected}`, async () => {
        const answer = await send(served.port, `${method} /`, { headers })
        assert.equal(answer.status, expected)
        if (expected === 412 || expected === 416) return
        assert.equal(answer.headers.etag, tag)
        assert.equal(answer.headers['last-modified'], date)
        const text = { 200: '0123456789', 206: '23', 304: '' }[expected]
        assert.equal(answer.text, method === 'HEAD' ? '' : text)
        if (expected !== 304) return
        const fields = Object.keys(answer.headers).filter(
          name => name.startsWith('content-') || name === 'accept-ranges',
        )
        assert.deepEqual(fields, [])
        assert.equal(answer.headers['cache-control'], 'no-cache')
      })
    }
  }
})
