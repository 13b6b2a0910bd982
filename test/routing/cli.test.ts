import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/paths.js'

const exec = promisify(execFile)

/** A folder below the package's own, so that `import 'palomino'` is this package. */
let folder: string

const app = `
import { Controller, Get, Guard, Module, Sse } from 'palomino'

function decorate(decorators, target, key) {
  const descriptor = key && Object.getOwnPropertyDescriptor(target, key)
  for (const each of decorators) each(target, key, descriptor)
}

class Users { show() {} again() {} }
decorate([Get('/:id'), Guard(() => true)], Users.prototype, 'show')
decorate([Controller('/users')], Users)
class Ticks { open() {} }
decorate([Sse('/ticks')], Ticks)
export class AppModule {}
decorate([Module({ controllers: [Users, Ticks] })], AppModule)
`
const files: Record<string, string> = {
  'app.js': app,
  'two.js': `${app}
export class AdminModule {}
decorate([Module({ controllers: [Users], prefix: '/admin' })], AdminModule)
export const other = 1
`,
  'running.js': `${app}setInterval(() => {}, 60_000)`,
  'workers.js': `${app}
const { bootstrap } = await import('palomino')
await bootstrap(AppModule, { port: 0, host: '127.0.0.1', workers: 2 })`,
  'none.js': 'export class AppModule {}',
  'broken.js': `${app}decorate([Get('/:id')], Users.prototype, 'again')`,
}

before(async () => {
  folder = await mkdtemp(join(root, 'dist/cli-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
})
after(() => rm(folder, { recursive: true, force: true }))

const palomino = (...args: string[]) => palominoIn(folder, ...args)

async function palominoIn(cwd: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = [join(root, 'dist/package/cli.js'), ...args]
  return exec(process.execPath, command, { cwd, timeout: 30_000 }).then(
    done => ({ code: 0, ...done }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

const text = `GET  /users/:id  Users.show  guard function
SSE  /ticks      Ticks
`
const usage = /^palomino routes <module> \[--export Name\] \[--json\]\npalomino openapi <module> /

describe('palomino routes', () => {
  test('prints the table of the module that a file exports, as aligned text', async () => {
    assert.deepEqual(await palomino('routes', 'app.js'), { code: 0, stdout: text, stderr: '' })
  })

  test('prints it as JSON', async () => {
    const { code, stdout } = await palomino('routes', './app.js', '--json')
    const nothing = { registries: [], events: [] }
    assert.equal(code, 0)
    assert.deepEqual(JSON.parse(stdout), [
      { verb: 'GET', path: '/users/:id', handler: 'Users.show', stream: false, guards: ['function'], ...nothing },
      { verb: 'SSE', path: '/ticks', handler: 'Ticks', stream: true, guards: [], ...nothing },
    ])
  })

  test('prints it as an OpenAPI document', async () => {
    const { code, stdout } = await palomino('openapi', 'app.js', '--title', 'Users', '--api-version', '2.0.0')
    const document = JSON.parse(stdout)
    assert.deepEqual([code, document.openapi, document.info], [0, '3.1.1', { title: 'Users', version: '2.0.0' }])
    assert.deepEqual(Object.keys(document.paths), ['/users/{id}', '/ticks'])
    const told = await palominoIn(root, 'openapi', join(folder, 'app.js'), '--openapi', '3.2')
    const { openapi, info } = JSON.parse(told.stdout)
    const { name: title, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    assert.deepEqual([openapi, info], ['3.2.0', { title, version }])
    const { code: refused, stderr } = await palomino('openapi', 'app.js', '--openapi', '2.0')
    assert.match(stderr, /^--openapi is 3\.1 or 3\.2\n\npalomino routes/)
    assert.equal(refused, 2)
  })

  test('prints it as an AsyncAPI document', async () => {
    const { code, stdout } = await palomino('asyncapi', 'app.js')
    const document = JSON.parse(stdout)
    assert.deepEqual([code, document.info], [0, { title: 'API', version: '0.0.0' }])
    assert.deepEqual(Object.keys(document.channels), ['Ticks'])
  })

  test('asks which module is meant where a file exports several', async () => {
    assert.deepEqual(await palomino('routes', 'two.js'), {
      code: 1,
      stdout: '',
      stderr: 'ConfigurationError: two.js exports the modules AdminModule, AppModule: choose one with --export\n',
    })
    const { stdout } = await palomino('routes', 'two.js', '--export', 'AdminModule')
    assert.equal(stdout, 'GET  /admin/users/:id  Users.show  guard function\n')
  })

  test('ends even where the file leaves something running', async () => {
    assert.deepEqual(await palomino('routes', 'running.js'), { code: 0, stdout: text, stderr: '' })
  })

  test('prints it once where the file starts workers', async () => {
    assert.deepEqual(await palomino('routes', 'workers.js'), { code: 0, stdout: text, stderr: '' })
  })

  const twice = 'GET /users/:id is declared twice, by Users.show and by Users.again: give one another path or method'
  const failures: [what: string, args: string[], stderr: string][] = [
    [
      'exports no module',
      ['none.js'],
      'none.js exports no class marked @Module: export it, from a file that does not call bootstrap',
    ],
    ['exports no such module', ['two.js', '--export', 'X'], 'two.js exports no module X, but AdminModule, AppModule'],
    ['is not there', ['absent.js'], 'there is no file absent.js: build it first'],
    ['declares something wrong', ['broken.js'], twice],
  ]
  for (const [what, args, problem] of failures) {
    test(`says so where the file ${what}`, async () => {
      const stderr = `ConfigurationError: ${problem}\n`
      assert.deepEqual(await palomino('routes', ...args), { code: 1, stdout: '', stderr })
    })
  }

  test('tells its usage when asked, and when it is called otherwise', async () => {
    const asked = await palomino('--help')
    assert.match(asked.stdout, usage)
    assert.equal(asked.code, 0)
    for (const args of [[], ['routes'], ['rutes', 'app.js']]) {
      const { code, stderr, stdout } = await palomino(...args)
      assert.match(stderr, usage)
      assert.deepEqual([code, stdout], [2, ''])
    }
    const { code, stderr } = await palomino('routes', 'app.js', '--jsn')
    assert.match(stderr, /^Unknown option '--jsn'[\s\S]*\n\npalomino routes <module>/)
    assert.equal(code, 2)
  })
})
