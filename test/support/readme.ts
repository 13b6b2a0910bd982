import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { root } from './paths.js'

/** What a snippet's module exports; an `app` is stopped when its test is over. */
export interface SnippetModule {
  app?: { close(): Promise<unknown> }
  [name: string]: unknown
}

/** Uses what a snippet made and asserts what the prose around it promises. */
export type Drive = (module: SnippetModule, t: TestContext) => void | Promise<void>

/**
 * Compiles every ```ts snippet of a markdown page with the project's own strictness, and runs each one.
 * A snippet says its file in its first line, `// file: name.ts`; snippets of one file are joined, in their order.
 * Each file has an entry in `drives`, by its name, and is loaded with PORT=0 in the environment; one that ends in
 * `-test.ts` is a test by itself.
 * @param skips why a file is compiled, and not run
 */
export function testSnippets(
  markdown: string,
  drives: Record<string, Drive>,
  name = 'readme',
  skips: Record<string, string | false> = {},
): void {
  // Below the package's own folder, so that `import 'palomino'` is this package.
  const folder = join(root, 'dist/snippets', name)
  const snippets = extractSnippets(markdown)

  before(() => {
    process.env.PORT = '0'
  })
  test('every snippet compiles', () => compile(snippets, folder))

  for (const file of snippets.keys()) {
    test(`the snippet ${file} does what the text says`, { skip: skips[file] ?? false }, async t => {
      const built = join(folder, 'out', file.replace(/\.ts$/, '.js'))
      if (file.endsWith('-test.ts')) return passes(built)
      const drive = drives[file]
      assert.ok(drive, `no test drives the snippet ${file}`)
      const module: SnippetModule = await import(pathToFileURL(built).href)
      t.after(() => module.app?.close())
      await drive(module, t)
    })
  }

  test('every driven snippet exists', () => {
    assert.deepEqual(
      Object.keys(drives).filter(file => !snippets.has(file)),
      [],
    )
  })
}

/** Runs a file of tests by itself: each passes, and there are some. */
async function passes(file: string): Promise<void> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, ['--test-reporter=tap', file], { env })
  assert.match(stdout, /^# pass [1-9]\d*$/m)
}

/** File name to source. Each line keeps the number it has on the page, so that a compiler's message points there. */
export function extractSnippets(markdown: string): Map<string, string> {
  const page = markdown.split('\n')
  const files = new Map<string, string[]>()
  let open: string[] | undefined
  for (const [index, line] of page.entries()) {
    if (line.startsWith('```')) {
      open = open === undefined && /^```(ts|typescript)\b/.test(line) ? fileOf(page, index + 1, files) : undefined
      continue
    }
    if (open !== undefined) open[index] = line
  }
  return new Map([...files].map(([file, lines]) => [file, `${Array.from(lines, line => line ?? '').join('\n')}\n`]))
}

function fileOf(page: string[], index: number, files: Map<string, string[]>): string[] {
  const file = /^\/\/ file: ([\w-]+\.ts)$/.exec(page[index] ?? '')?.[1]
  if (file === undefined) throw new Error(`line ${index + 1}: a ts snippet begins with "// file: name.ts"`)
  const lines = files.get(file) ?? []
  files.set(file, lines)
  return lines
}

async function compile(snippets: Map<string, string>, folder: string) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [file, source] of snippets) writeFileSync(join(folder, file), source)
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { rootDir: '.', outDir: 'out', declaration: false, declarationMap: false, sourceMap: false },
    files: [...snippets.keys()],
    include: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  await promisify(execFile)(process.execPath, [tsc, '--project', folder, '--pretty', 'false'], { cwd: folder }).catch(
    error => assert.fail(`the snippets do not compile:\n${error.stdout}${error.stderr}`),
  )
}
