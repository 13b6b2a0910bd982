import { Application } from './application.js'
import type { AbstractClass } from './declare/metadata.js'
import type { ApplicationOptions } from './options.js'
import type { ListenAddress } from './server/listener.js'
import { sharedPort } from './server/shared-address.js'

const PORT = 3000

/**
 * Reads the modules, makes what they declare, and serves it. With `workers`, the process becomes their primary: each of
 * them runs the main module, and this in it, once more; here it resolves when all of them serve.
 * @throws ConfigurationError with everything that is wrong, before anything listens
 * @throws AddressInUseError when the port is taken
 */
export async function bootstrap(module: AbstractClass, options: ApplicationOptions = {}): Promise<Application> {
  if (options?.workers === undefined) return serve(new Application(module, options), options)
  const { serveByWorkers } = await import('./processes.js')
  return serveByWorkers(module, options, serve)
}

async function serve(app: Application, options: ApplicationOptions): Promise<Application> {
  try {
    await app.start()
    if (options.listen !== false) await app.listen(addressOf(options))
  } catch (error) {
    await app
      .close({ deadline: 0, drainDelay: 0 })
      .catch(worse => app.logger.error('the application did not stop cleanly', worse))
    throw error
  }
  if (options.signals ?? options.listen !== false) app.closeOnSignals()
  return app
}

function addressOf({ port = PORT, host, path, tls, http2 = false }: ApplicationOptions): ListenAddress {
  const protocols = { http2, ...(tls === undefined ? {} : { tls }) }
  if (path !== undefined) return { path, ...protocols }
  return { port: Number(port) || sharedPort, ...(host === undefined ? {} : { host }), ...protocols }
}
