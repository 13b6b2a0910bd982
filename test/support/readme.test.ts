import assert from 'node:assert/strict'
import { test } from 'node:test'
import { extractSnippets, testSnippets } from './readme.js'

const PAGE = `# A page

\`\`\`ts
// file: greet.ts
export const greet = (name: string) => \`Hello \${name}\`
\`\`\`

\`\`\`sh
// file: not-code.ts
\`\`\`

And then:

\`\`\`ts
// file: greet.ts
export const app = { greeting: greet('you'), close: async () => { stopped = true }, port: process.env.PORT ?? 3000 }
export let stopped = false
\`\`\`
`

test('snippets of one file are joined, and lines keep their numbers', () => {
  const snippets = extractSnippets(PAGE)
  assert.deepEqual([...snippets.keys()], ['greet.ts'])
  const page = PAGE.split('\n')
  const lines = snippets.get('greet.ts')!.split('\n')
  assert.deepEqual(
    lines.flatMap((line, index) => (line === '' ? [] : [[index, line]])),
    [3, 4, 14, 15, 16].map(index => [index, page[index]]),
  )
})

test('a snippet without a file is refused, by line', () => {
  assert.throws(() => extractSnippets('# A\n\n```ts\nlet a = 1\n```\n'), /line 4: a ts snippet begins with/)
})

let driven: Record<string, unknown>

testSnippets(
  PAGE,
  {
    'greet.ts': module => {
      assert.deepEqual(module.app, { greeting: 'Hello you', close: module.app!.close, port: '0' })
      driven = module
    },
  },
  'fixture',
)

test('the app of a snippet is closed', () => assert.equal(driven.stopped, true))
