/** One contestant in a process of its own: `node server.js <contestant> <what it serves> <asks as JSON>`. */
import { answerQuestions } from './child.js'
import { now } from './clock.js'

const [, , contestant, serves, asks] = process.argv
const { [serves]: serve, dialect, packages } = await import(`./contestants/${contestant}.js`)
const served = await serve(JSON.parse(asks))

const answers = {
  /** Microseconds of CPU time so far, in user and system mode, of all threads. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  /** Bytes, after garbage was collected. */
  memory() {
    for (let turn = 0; turn < 3; turn++) globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    return { rss, heap: heapUsed }
  },
  /** The most it ever held, in bytes. */
  peak: () => process.resourceUsage().maxRSS * 1024,
  /** Sends an event to all, or several within one turn; answers when that was. */
  send({ data, times }) {
    const at = now()
    for (let time = 0; time < times; time++) served.send(data)
    return at
  },
  // The program in C answers for itself.
  ...served.answers,
}

answerQuestions(answers, {
  port: served.port,
  dialect: served.dialect ?? dialect,
  packages,
  cpu: await answers.cpu(),
  took: performance.now(),
})
