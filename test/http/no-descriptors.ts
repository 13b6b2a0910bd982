/** Serves a file while the process has no descriptors left, and prints what its peer is told. */
import { closeSync, openSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { bootstrap, Controller, file, Get, Module, serveFiles } from '../../src/index.js'

@Controller()
class Files {
  @Get('/file') show() {
    return file(import.meta.filename)
  }
}
@Module({ controllers: [Files] })
class App {}

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const use = [serveFiles('/files', import.meta.dirname)]
const app = await bootstrap(App, { port: 0, host: '127.0.0.1', signals: false, logger: silent, use })
/** The connection is there before the descriptors are gone. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function get(path: string): Promise<{ status: number | undefined; retryAfter: string | undefined }> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port: app.port, path, agent }, response => {
      const { statusCode: status, headers } = response
      response.resume().once('end', () => resolve({ status, retryAfter: headers['retry-after'] }))
    })
      .once('error', reject)
      .end()
  })
}

await get('/file')
const taken: number[] = []

/** Takes every descriptor; one that Node.js itself gives back a moment later is taken then. */
async function whileFull(path: string) {
  for (let tries = 0; ; tries++) {
    try {
      for (;;) taken.push(openSync('/dev/null', 'r'))
    } catch {
      const answer = await get(path)
      if (answer.status !== 200 || tries === 20) return answer
    }
  }
}

const full = await whileFull('/file')
const served = await whileFull('/files/no-descriptors.js')
for (const fd of taken) closeSync(fd)
const freed = await get('/file')
console.log(
  JSON.stringify({ full: full.status, retryAfter: full.retryAfter, served: served.status, freed: freed.status }),
)
agent.destroy()
await app.close({ deadline: 0 })
