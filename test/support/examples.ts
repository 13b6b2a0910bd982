import { after, before } from 'node:test'
import { type AbstractClass, type Application, type ApplicationOptions, bootstrap } from '../../src/index.js'

export interface Served {
  readonly app: Application
  readonly origin: string
}

/** A module that is served on a spare port for all tests of a file; its members are there once the tests run. */
export function served(module: AbstractClass, options: ApplicationOptions = {}): Served {
  let app: Application
  before(async () => {
    app = await bootstrap(module, { port: 0, signals: false, ...options })
  })
  after(() => app.close({ deadline: 0 }))
  return {
    get app() {
      return app
    },
    get origin() {
      return `http://127.0.0.1:${app.port}`
    },
  }
}
