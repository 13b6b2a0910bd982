import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { eventually } from './eventually.js'
import { root } from './paths.js'

const CANDIDATES = [process.env.NGINX, '/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx']

const binary = CANDIDATES.find(path => path !== undefined && existsSync(path))
const skip = binary === undefined && 'no nginx found: apt-get install nginx-light, or set NGINX to its path'

/** What README.md tells to put into nginx, where nginx and the application are elsewhere. */
function recipe(port: number, app: string, changes: Readonly<Record<string, string>> = {}): string {
  const [, shown] = /```nginx\n(.*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  let config = shown ?? assert.fail('README.md shows no configuration of nginx')
  for (const [from, to] of Object.entries({
    'listen 80;': `listen 127.0.0.1:${port};`,
    '127.0.0.1:3000': app,
    ...changes,
  })) {
    assert.ok(config.includes(from), `the configuration in README.md has no ${from}`)
    config = config.replace(from, to)
  }
  return config
}

/** A test with nginx, or a skipped one where there is none. */
export function nginxTest(name: string, fn: (t: TestContext) => Promise<void>): void {
  test(name, { skip, timeout: 60_000 }, fn)
}

/**
 * Starts nginx on a spare port, in front of an application, until the test is over; answers the port.
 * @param app where the application listens: `127.0.0.1:3000`, or `unix:/path`
 * @param changes what of the configuration in README.md is to be something else
 */
export async function startNginx(
  t: TestContext,
  app: string,
  changes?: Readonly<Record<string, string>>,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'palomino-nginx-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  for (let attempt = 1; ; attempt++) {
    const port = await sparePort()
    const config = join(folder, 'nginx.conf')
    await writeFile(config, frame(folder, recipe(port, app, changes)))
    const child = spawn(binary!, ['-p', folder, '-e', join(folder, 'error.log'), '-c', config], { stdio: 'ignore' })
    const exited = once(child, 'exit')
    const isUp = await eventually('nginx listens', async () => {
      if (child.exitCode !== null) return 'exited'
      return (await accepts(port)) && 'up'
    })
    if (isUp === 'up') {
      t.after(async () => {
        child.kill('SIGTERM')
        await exited
      })
      return port
    }
    // Somebody else may have taken the port meanwhile.
    if (attempt === 3) assert.fail(`nginx does not start: ${await readFile(join(folder, 'error.log'), 'utf8')}`)
  }
}

/** Everything but the recipe: one process, and nothing outside of the folder. */
function frame(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    name => `${name}_temp_path ${folder}/${name};`,
  )
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
events {}
http {
access_log off;
${temporary.join('\n')}
${http}
}
`
}

async function sparePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
