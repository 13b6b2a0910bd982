import { after, before } from 'node:test'
import type { ModuleOptions } from '../../src/declare/module.js'
import { type Application, type ApplicationOptions, bootstrap, Module } from '../../src/index.js'

/** One line of an application's log. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly details: unknown
}

/** An application that listens on a spare port. */
export interface Served {
  readonly app: Application
  readonly port: number
  /** Everything that was logged, from warnings upwards. */
  readonly log: readonly LogLine[]
}

/** Who closes what a test opened: a `TestContext`. */
interface Closing {
  after(close: () => Promise<void>): void
}

/** Serves a module of these controllers and providers until the test is over. */
export async function serve(t: Closing, module: ModuleOptions, options: ApplicationOptions = {}): Promise<Served> {
  const log: LogLine[] = []
  const app = await bootstrap(moduleOf(module), { port: 0, host: '127.0.0.1', logger: collecting(log), ...options })
  t.after(() => app.close({ deadline: 0 }))
  return { app, port: app.port, log }
}

/** Serves a module for all tests of a suite: to be called in `describe`, and looked at in its tests. */
export function serveSuite(module: ModuleOptions, options: ApplicationOptions = {}): Served {
  let served: Served | undefined
  let close = async () => {}
  const started = () => {
    if (served === undefined) throw new Error('the suite has not started')
    return served
  }
  before(async () => {
    const closing = {
      after(closeIt: () => Promise<void>) {
        close = closeIt
      },
    }
    served = await serve(closing, module, options)
  })
  after(() => close())
  return {
    get app() {
      return started().app
    },
    get port() {
      return started().port
    },
    get log() {
      return started().log
    },
  }
}

/** A module class with these options. */
export function moduleOf(options: ModuleOptions) {
  class AppModule {}
  Module(options)(AppModule)
  return AppModule
}

/** A logger that keeps what is said, from warnings upwards. */
export function collecting(log: LogLine[]) {
  const silent = () => {}
  const keep = (level: LogLine['level']) => (message: string, details?: unknown) =>
    void log.push({ level, message, details })
  return { debug: silent, info: silent, warn: keep('warn'), error: keep('error') }
}
