/** A child process that answers questions: one message each way. */
import { fork } from 'node:child_process'
import { once } from 'node:events'

/** Milliseconds to wait for an answer. */
const PATIENCE = 120_000

export class Child {
  #asked = new Map()
  #next = 0

  /** Starts a program of this folder; it is ready when it has said so. */
  static async start(program, argv, { env = {}, execArgv = [] } = {}) {
    const path = new URL(program, import.meta.url).pathname
    const child = fork(path, argv, { env: { ...process.env, NODE_ENV: 'production', ...env }, execArgv })
    return Child.of(child, `${program} ${argv.join(' ')}`)
  }

  /** A process that was just started, however; it is ready when it has said so. */
  static async of(child, name) {
    const started = new Child(child, name)
    started.ready = await started.#answer('ready')
    return started
  }

  constructor(child, name) {
    this.child = child
    this.name = name
    child.on('message', ({ id, answer, error }) => {
      const asked = this.#asked.get(id)
      this.#asked.delete(id)
      if (error === undefined) asked?.resolve(answer)
      else asked?.reject(new Error(`${name}: ${error}`))
    })
    child.on('exit', code => {
      for (const { reject } of this.#asked.values()) reject(new Error(`${name} ended with ${code}`))
    })
    child.on('error', () => {})
  }

  #answer(id) {
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }))
  }

  ask(question, details = {}) {
    const id = this.#next++
    this.child.send({ id, question, ...details })
    return this.#inTime(this.#answer(id), question)
  }

  async #inTime(answer, question) {
    let timer
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name}: no answer to ${question}`)), PATIENCE)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      clearTimeout(timer)
    }
  }

  /** `SIGUSR2` lets it write its profile. */
  async end(signal = 'SIGKILL') {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const ended = once(this.child, 'exit')
    this.child.kill(signal)
    await ended
  }
}

/** The other side: answers each question by the function of its name. */
export function answerQuestions(answers, ready) {
  const asked = new Set()
  // What goes wrong between a question and its answer is the answer.
  process.on('uncaughtException', error => {
    if (asked.size === 0) console.error(error)
    for (const id of asked) process.send({ id, error: error.stack })
    asked.clear()
  })
  process.on('message', async ({ id, question, ...details }) => {
    if (question === undefined) return // a log's own, on the same channel
    asked.add(id)
    try {
      process.send({ id, answer: (await answers[question](details)) ?? null })
    } catch (error) {
      process.send({ id, error: error.stack })
    }
    asked.delete(id)
  })
  // Whoever asked may have gone while this one was starting.
  if (!process.connected) process.exit()
  process.on('disconnect', () => process.exit())
  process.on('SIGUSR2', () => process.exit())
  process.send({ id: 'ready', answer: ready })
}
