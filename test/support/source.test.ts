import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readSource } from './source.js'

test('finds every kind of import, and none in comments, strings and templates', () => {
  const { imports } = readSource(
    'sse/serve.ts',
    `
    import 'reflect-metadata'
    import { a } from './encode.js'
    import type { B } from "../errors.js"
    export { c } from '../routing/table.js'
    import {
      d,
    } from 'ws'
    // import x from 'comment'
    /** @example import { y } from 'docstring' */
    const text = "import z from 'string'"
    const later = await import('busboy')
    const message = \`add import "x" from 'template' \${f({ a: '}' }, \`from '\${await import('inner')}'\`)}\`
    const bytes = Buffer.from('ws')
    const quote = /['"\`]/.test(text) || total / 2 / 1
    type T = import('node:http').Server
    `,
  )
  assert.deepEqual(imports, [
    'reflect-metadata',
    'sse/encode.ts',
    'errors.ts',
    'routing/table.ts',
    'ws',
    'busboy',
    'inner',
    'node:http',
  ])
})

test('blanks what is not code, and keeps lines and columns', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text to be read
  const text = "const a = 'any' // any\n/* any\n any */ let b: any = /any'/, c = `any ${x as any} any`\n"
  const { code } = readSource('a.ts', text)
  assert.equal(code.length, text.length)
  assert.deepEqual(
    [...code.matchAll(/any/g)].map(match => match.index),
    [text.indexOf('any = '), text.indexOf('any} any')],
  )
  assert.equal(code.split('\n').length, text.split('\n').length)
})
