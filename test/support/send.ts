import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The body as UTF-8. */
  readonly text: string
  readonly bytes: Buffer
  /** The body as JSON. */
  json(): unknown
}

interface SendOptions {
  readonly headers?: OutgoingHttpHeaders
  /** A string or bytes go as they are, anything else as JSON with its content type. */
  readonly body?: unknown
  /** The path of a Unix socket, in place of a port. */
  readonly socketPath?: string
}

/** Sends one request on a connection of its own: `send(port, 'POST /users', { body: { name: 'Ada' } })`. */
export function send(port: number, line: string, { headers, body, socketPath }: SendOptions = {}): Promise<Answer> {
  const [method = 'GET', path = '/'] = line.split(' ')
  const isJson = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)
  const given = { ...(isJson ? { 'Content-Type': 'application/json' } : {}), ...headers }
  const target = socketPath === undefined ? { host: '127.0.0.1', port } : { socketPath }
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, method, path, headers: given, agent: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        const text = bytes.toString()
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, text, bytes, json: () => JSON.parse(text) })
      })
    })
    sent.on('error', reject)
    sent.end(isJson ? JSON.stringify(body) : body)
  })
}
