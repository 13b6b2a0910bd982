import type { TestContext } from 'node:test'
import {
  type Application,
  type ApplicationOptions,
  bootstrap,
  type Class,
  type Logger,
  Module,
  type ModuleOptions,
} from '../../src/index.js'

/** Keeps what an application logs, for tests to look at. */
export class LogBook implements Logger {
  readonly errors: { readonly message: string; readonly details: unknown }[] = []
  readonly warnings: string[] = []

  debug(): void {}
  info(): void {}
  warn(message: string): void {
    this.warnings.push(message)
  }
  error(message: string, details?: unknown): void {
    this.errors.push({ message, details })
  }

  /** The messages of the errors, in their order. */
  get messages(): string[] {
    return this.errors.map(error => error.message)
  }
}

export interface Served {
  readonly app: Application
  readonly port: number
  readonly log: LogBook
}

/** Serves classes on a spare port of this host, without any signal handlers. The caller closes it. */
export async function start(controllers: readonly Class[], options: StartOptions = {}): Promise<Served> {
  const { providers = [], ...given } = options
  @Module({ controllers: [...controllers], providers })
  class Root {}
  const log = new LogBook()
  const app = await bootstrap(Root, { port: 0, host: '127.0.0.1', signals: false, logger: log, ...given })
  return { app, port: app.port, log }
}

export interface StartOptions extends ApplicationOptions {
  readonly providers?: NonNullable<ModuleOptions['providers']>
}

/** As `start`; closed when the test is over, without waiting for anybody. */
export async function serve(t: TestContext, controllers: readonly Class[], options?: StartOptions): Promise<Served> {
  const served = await start(controllers, options)
  t.after(() => served.app.close({ deadline: 0 }))
  return served
}
