/** The process that asks, listens and counts, for one contestant after the other. */
import { answerQuestions } from './child.js'
import { Crowd } from './load/crowd.js'
import { Echo } from './load/echo.js'
import { askOnce, Requests } from './load/requests.js'
import { upload } from './load/upload.js'

const kinds = { requests: Requests, crowd: Crowd, echo: Echo }
const loads = new Map()
let expected

answerQuestions({
  async open({ name, load, port, count, ...asks }) {
    const opened = new kinds[load](port, asks)
    loads.set(name, opened)
    await opened.connect(count)
  },
  run: ({ name, milliseconds }) => loads.get(name).run(milliseconds),
  async churn({ name, count }) {
    const crowd = loads.get(name)
    await crowd.churn(count)
    if (crowd.failure !== undefined) throw crowd.failure
  },
  /** Arms the count; `arrived` answers when all are there. */
  expect({ name, times }) {
    expected = loads.get(name).expect(times)
  },
  arrived: () => expected,
  finish: ({ name, sentAt }) => loads.get(name).finish(sentAt),
  /** The payloads of the frames that a peer that keeps them has seen. */
  seen: ({ name }) => loads.get(name).peers[0].seen.map(bytes => bytes.toString('base64')),
  close({ name }) {
    loads.get(name).end()
    loads.delete(name)
  },
  once: ({ port, request, secure }) => askOnce(port, request, secure),
  upload,
})
