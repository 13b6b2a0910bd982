/** Requests on connections that are kept, for as long as there is load: each has to be answered. */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export class Requesters {
  answered = 0
  readonly failed: string[] = []
  /** Requests that went out on a connection that had been used before. */
  reused = 0
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })
  readonly #running: Promise<void>[]
  #over = false

  constructor(
    private readonly port: number,
    count: number,
  ) {
    this.#running = Array.from({ length: count }, (_, n) => this.#run(n % 4 === 0 ? '/slow' : '/quick'))
  }

  async end(): Promise<void> {
    this.#over = true
    await Promise.all(this.#running)
    this.#agent.destroy()
  }

  async #run(path: string): Promise<void> {
    while (!this.#over) {
      await this.#ask(path).then(
        () => this.answered++,
        error => this.failed.push(`${path}: ${error}`),
      )
      await sleep(Math.random() * 40)
    }
  }

  #ask(path: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: this.port, path, agent: this.#agent }, response => {
        let text = ''
        response.setEncoding('utf8').on('data', chunk => {
          text += chunk
        })
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode === 200 && text === path.slice(1)) resolve()
          else reject(new Error(`${response.statusCode} ${text}`))
        })
      })
      asked.on('error', error =>
        reject(new Error(`${error.message}, on a connection ${asked.reusedSocket ? 'kept' : 'new'}`)),
      )
      asked.on('socket', () => {
        if (asked.reusedSocket) this.reused++
      })
      asked.end()
    })
  }
}
