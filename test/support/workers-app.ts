/** A program of many processes: its first argument says what it does, its messages what came of it. */
import cluster from 'node:cluster'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ApplicationOptions,
  bootstrap,
  Controller,
  createPublisher,
  Get,
  Module,
  type OnStart,
  Post,
} from '../../src/index.js'
import { clusterEventLog } from '../../src/logs/cluster.js'
import { TickSocket, TickStream, Ticks } from './ticks.js'

export interface Plan {
  readonly options: ApplicationOptions
  /** What the classes of a worker do wrong. */
  readonly fault?: 'start' | 'soon' | 'second generation' | undefined
  readonly patience?: number
}

/** What the primary can be asked to do. */
export type Ask = 'pids' | 'restart' | 'close' | 'serve' | 'tick' | 'tick no more'

/** From the primary. `port` is told once all serve. */
export type Told =
  | { readonly port: number; readonly url: string | undefined }
  | { readonly pids: readonly number[] }
  | { readonly forked: number }
  | { readonly done: Ask; readonly error?: string }
  | { readonly last: number }

const { options, fault, patience }: Plan = JSON.parse(process.argv[2] ?? '')
const generation = Number(process.env.GENERATION ?? 0)

@Controller('/')
class Here implements OnStart {
  constructor(private readonly ticks: Ticks) {}

  onStart() {
    if (fault === 'start') throw new Error('this worker cannot start', { cause: new Error('the disk is full') })
    if (fault === 'second generation' && generation > 0) throw new Error('the new code does not start')
  }
  @Get('/pid')
  pid() {
    return { pid: process.pid }
  }
  @Get('/slow')
  async slow() {
    await sleep(200)
    return 'slow but sure'
  }
  @Post('/say')
  async say() {
    return { pid: String(process.pid), id: await this.ticks.to('all').send('said', String(process.pid)) }
  }
}

@Module({ controllers: [TickStream, TickSocket, Here], providers: [Ticks] })
class App {}

let isTicking = true
const tell = (told: Told) => process.send?.(told)
if (cluster.isPrimary) cluster.on('fork', () => tell({ forked: performance.now() }))

const eventLog = patience === undefined ? {} : { eventLog: clusterEventLog({ patience }) }
const app = await bootstrap(App, { host: '127.0.0.1', port: 0, ...options, ...eventLog })

if (app.workers === undefined) {
  if (fault === 'soon') setTimeout(() => process.exit(3), 20)
} else {
  process.env.GENERATION = '1'
  process.on('message', (ask: Ask) => {
    const done = (error?: unknown) => tell({ done: ask, ...(error === undefined ? {} : { error: String(error) }) })
    if (ask === 'pids') tell({ pids: app.workers?.pids ?? [] })
    else if (ask === 'restart') app.workers?.restart().then(() => done(), done)
    else if (ask === 'close')
      app
        .close()
        .then(() => done(), done)
        .then(() => process.disconnect())
    else if (ask === 'serve') serveHere().then(() => done(), done)
    else if (ask === 'tick') sendTicks().then(last => tell({ last }), done)
    else isTicking = false
  })
  tell({ port: app.port, url: app.url })
}

/** Has the primary do what its workers do. Rejects with all that it says to that. */
async function serveHere(): Promise<void> {
  const asked = [
    () => app.get(Ticks),
    () => app.listen({ port: 0 }),
    () => app.renewTls({}),
    () => app.attach(createServer()),
  ]
  const answers = await Promise.allSettled(asked.map(async ask => ask()))
  throw answers.map(answer => (answer.status === 'rejected' ? answer.reason.message : 'it did')).join('\n')
}

/** Sends 200 a second, as many as are due, however late the timer comes. Answers the last. */
async function sendTicks(): Promise<number> {
  const publisher = await createPublisher(Ticks, clusterEventLog())
  const start = performance.now()
  let sent = 0
  for (; isTicking; await sleep(5)) {
    const due = Math.floor((performance.now() - start) / 5)
    for (; sent < due; sent++) await publisher.to('all').send('tick', sent)
  }
  return sent - 1
}
