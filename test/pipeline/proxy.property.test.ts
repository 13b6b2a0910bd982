/** Whatever a peer writes into the forwarded fields before the proxies add to them, it is never seen as anybody else. */

import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { type Context, Controller, Ctx, Get } from '../../src/index.js'
import { fc } from '../support/properties.js'
import { serve } from '../support/serve.js'

@Controller('/seen')
class Seen {
  @Get() seen(@Ctx() { remoteAddress, protocol, host }: Context) {
    return { remoteAddress, protocol, host }
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function ask(port: number, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    request({ port, host: '127.0.0.1', path: '/seen', headers, agent }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
      .on('error', reject)
      .end()
  })
}

/** What can stand in a header field, much of it from the grammars that are to be broken. */
const spoof = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'for=',
        'proto=https',
        'host=evil.example',
        '"',
        '\\',
        ',',
        ';',
        '=',
        ' ',
        '\t',
        '[',
        ']',
        ':',
        '_',
      ),
      fc.constantFrom(
        '10.0.0.1',
        '127.0.0.1',
        '[::1]',
        '::1',
        'unknown',
        'for="',
        '";',
        '"a"',
        'https',
        'evil.example',
      ),
      fc.string({ unit: fc.constantFrom(...'abc019.-%é') }),
    ),
    { maxLength: 12, size: 'max' },
  )
  .map(parts => parts.join('').trim())
const chain = fc.array(fc.ipV4(), { minLength: 1, maxLength: 4 })
const join = (...parts: string[]) => parts.filter(part => part !== '').join(', ')
const runs = { numRuns: 300, seed: 7239 }

for (const family of ['x-forwarded', 'forwarded'] as const) {
  test(`with ${family}, the last trusted hop decides, or the request is 400`, async t => {
    const apps = await Promise.all(
      [1, 2, 3, 4].map(trustProxy =>
        serve(t, { controllers: [Seen] }, { trustProxy, proxyFields: family, keepAliveTimeout: 60_000 }),
      ),
    )
    t.after(() => agent.destroy())
    let refused = 0
    await fc.assert(
      fc.asyncProperty(spoof, chain, async (spoofed, proxies) => {
        const { port = 0 } = apps[proxies.length - 1] ?? {}
        const headers =
          family === 'forwarded'
            ? {
                Forwarded: join(spoofed, ...proxies.map(address => `for="${address}";proto=https;host=public.example`)),
              }
            : {
                'X-Forwarded-For': join(spoofed, ...proxies),
                'X-Forwarded-Proto': join(spoofed, ...proxies.map(() => 'https')),
                'X-Forwarded-Host': join(spoofed, ...proxies.map(() => 'public.example')),
              }
        const { status, text } = await ask(
          port,
          Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, Buffer.from(v).toString('latin1')])),
        )
        if (status === 400) return void refused++
        assert.equal(status, 200)
        const expected = { remoteAddress: proxies[0], protocol: 'https', host: 'public.example' }
        assert.deepEqual(JSON.parse(text), expected)
      }),
      runs,
    )
    assert.ok(family === 'forwarded' ? refused > 0 && refused < runs.numRuns : refused === 0, `${refused} were refused`)
  })
}
