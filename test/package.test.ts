import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { type Options as SwcOptions, transformFile } from '@swc/core'
import { root } from './support/paths.js'
import { extractSnippets } from './support/readme.js'

const exec = promisify(execFile)

/** A fresh folder outside the repository, with the packed package installed from its tarball. */
let consumer: string

describe('the packed package', () => {
  before(async () => {
    consumer = await realpath(await mkdtemp(join(tmpdir(), 'palomino-consumer-')))
    await cp(join(root, 'test/fixtures/consumer'), consumer, { recursive: true })
    await writeFile(join(consumer, 'package.json'), JSON.stringify({ type: 'module', private: true }))
    await install()
  })
  after(() => rm(consumer, { recursive: true, force: true }))

  test('holds the built code, its types, its source and its papers', async () => {
    const files = await readdir(join(consumer, 'node_modules/palomino'), { recursive: true })
    for (const file of ['dist/package/index.js', 'dist/src/index.d.ts', 'src/index.ts', 'LICENSE', 'CHANGELOG.md']) {
      assert.ok(files.includes(file), `${file} is missing`)
    }
    assert.deepEqual(
      files.filter(file => /(^|\/)(test|examples)\/|\.test\.|^dist\/src\/.*\.js$/.test(file)),
      [],
    )
  })

  test('shows nobody what is its own affair', async () => {
    const types = join(consumer, 'node_modules/palomino/dist/src')
    const files = (await readdir(types, { recursive: true })).filter(file => file.endsWith('.d.ts'))
    const texts = await Promise.all(files.map(file => readFile(join(types, file), 'utf8')))
    assert.deepEqual(
      files.filter((_, index) => texts[index]?.includes('@internal')),
      [],
    )
  })

  test('keeps the names of what it exports, and one copy of each over all of its doors', async () => {
    const doors = [
      'palomino',
      'palomino/cluster',
      'palomino/redis',
      'palomino/nats',
      'palomino/testing',
      'palomino/describe',
    ]
    const source = `
      import 'node:test'
      const doors = await Promise.all(${JSON.stringify(doors)}.map(door => import(door)))
      const isClass = value => String(value).startsWith('class')
      const wrong = doors.flatMap(door => Object.entries(door).filter(([name, value]) => isClass(value) && value.name !== name))
      const { ClusterEventLog } = doors[1], { RedisEventLog } = doors[2], { NatsEventLog } = doors[3]
      const logs = [ClusterEventLog, RedisEventLog, NatsEventLog].map(log => log?.prototype instanceof doors[0].EventLog)
      console.log(JSON.stringify({ wrong: wrong.map(([name]) => name), logs }))`
    const { stdout } = await exec(process.execPath, ['--input-type=module', '--eval', source], { cwd: consumer })
    assert.deepEqual(JSON.parse(stdout), { wrong: [], logs: [true, true, true] })
  })

  test('leads a stack trace to the source', async () => {
    const source = "class A {}; import('palomino').then(({ bootstrap }) => bootstrap(A))"
    const flags = ['--enable-source-maps', '--input-type=module', '--eval', source]
    await assert.rejects(exec(process.execPath, flags, { cwd: consumer }), ({ stderr }: { stderr: string }) => {
      assert.match(stderr, /ConfigurationError/)
      assert.match(stderr, /node_modules\/palomino\/src\/blueprint\.ts:\d+/)
      return true
    })
  })

  test('says what to install where the package that a log needs is not there', async () => {
    for (const [door, open, packages] of [
      ['redis', 'redisEventLog', 'redis'],
      ['nats', 'natsEventLog', '@nats-io/transport-node @nats-io/jetstream'],
    ]) {
      const source = `import { ${open} } from 'palomino/${door}'; await ${open}()('r', {}, console)`
      const asked = exec(process.execPath, ['--input-type=module', '--eval', source], { cwd: consumer })
      await assert.rejects(asked, ({ stderr }: { stderr: string }) => stderr.includes(`npm install ${packages}`))
    }
  })

  test('serves an app compiled by tsc, its declarations checked', async () => {
    await compileWithTsc()
    await serves('tsc/app.js')
  })

  test('has the tests that a log of its own passes', async () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const { stdout } = await exec(process.execPath, ['--test-reporter=tap', 'tsc/own-log.js'], { cwd: consumer, env })
    assert.match(stdout, /^# pass [1-9]\d+$/m)
    assert.match(stdout, /^# fail 0$/m)
  })

  test('serves an app compiled by swc', async () => {
    await compileWithSwc('swc.js', true)
    await serves('swc.js')
  })

  test("the README's five minutes, to the letter, lead to a running app", async () => {
    const folder = join(consumer, 'five-minutes')
    await mkdir(folder)
    const readme = await readFile(join(root, 'README.md'), 'utf8')
    const [, first = ''] = readme.split('## Five minutes')
    const [begin = ''] = /(?<=```sh\n).*/.exec(first) ?? []
    assert.match(begin, /^npm init/)
    await exec(begin, { cwd: folder, shell: true })
    await writeFile(join(folder, 'tsconfig.json'), /(?<=```json\n)[^`]*/.exec(first)?.[0] ?? '')
    await writeFile(join(folder, 'hello.ts'), extractSnippets(readme).get('hello.ts') ?? '')
    await exec(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], { cwd: folder })
    const app = spawn(process.execPath, ['dist/hello.js'], { cwd: folder, env: { ...process.env, PORT: '0' } })
    const [said] = await once(app.stdout, 'data')
    const [origin = ''] = /http:\S+/.exec(String(said)) ?? []
    assert.deepEqual(await (await fetch(`${origin}/hello/ada`)).json(), { hello: 'ada' })
    app.kill()
    assert.equal((await once(app, 'exit'))[0], 0)
  })

  test('tells what to do when the compiler emitted no metadata', async () => {
    await compileWithSwc('bare.js', false)
    await assert.rejects(run('bare.js'), ({ stderr }: { stderr: string }) => {
      assert.match(stderr, /ConfigurationError/)
      assert.match(stderr, /GreetingsController/)
      assert.match(stderr, /emitDecoratorMetadata/)
      return true
    })
  })
})

async function install() {
  const { stdout } = await exec('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', consumer], {
    cwd: root,
  })
  const [{ filename }] = JSON.parse(stdout)
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const nodeTypes = `@types/node@${devDependencies['@types/node']}`
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']
  await exec('npm', ['install', ...flags, '--prefix', consumer, join(consumer, filename), nodeTypes], { cwd: consumer })
}

async function compileWithTsc() {
  const config = {
    compilerOptions: {
      target: 'ES2023',
      lib: ['ES2023', 'ESNext.Disposable'],
      module: 'NodeNext',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      verbatimModuleSyntax: true,
      outDir: 'tsc',
      rootDir: '.',
    },
    files: ['app.ts', 'own-log.ts'],
  }
  await writeFile(join(consumer, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  await exec(process.execPath, [tsc, '--project', consumer, '--pretty', 'false']).catch(error =>
    assert.fail(`the app does not compile:\n${error.stdout}${error.stderr}`),
  )
}

async function compileWithSwc(file: string, decoratorMetadata: boolean) {
  const options: SwcOptions = {
    swcrc: false,
    module: { type: 'es6' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata },
    },
  }
  const { code } = await transformFile(join(consumer, 'app.ts'), options)
  await writeFile(join(consumer, file), code)
}

function run(file: string) {
  return exec(process.execPath, ['main.js', `./${file}`], { cwd: consumer, timeout: 30_000 })
}

async function serves(file: string) {
  const { stdout, stderr } = await run(file)
  const heard = JSON.parse(stdout.trim().split('\n').at(-1)!)
  assert.deepEqual(heard.greeting, { text: 'Hello you' })
  assert.match(heard.type, /^text\/event-stream/)
  assert.match(heard.stream, /event: ?hello\ndata: ?\{"room":"one"\}\n\n/)
  assert.equal(heard.echo, 'ping')
  assert.doesNotMatch(stderr, /Warning/)
}
