import type * as Http from 'node:http'
import { createRequire } from 'node:module'

/**
 * What Palomino takes of `node:http` at run time. To `import` a module of Node's is to read all that it exports, and of
 * this one that loads undici, which has its `WebSocket`: 30 ms of CPU time since Node.js 22. And `require` is what
 * instruments such as OpenTelemetry's listen to.
 */
export const { createServer, ServerResponse, STATUS_CODES, validateHeaderName, validateHeaderValue } = createRequire(
  import.meta.url,
)('node:http') as typeof Http

export type ServerResponse = Http.ServerResponse
