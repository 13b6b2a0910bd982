/** How long a log waits, how often it connects, and when it insists. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Link } from '../../src/logs/link.js'
import { Insistence, type RedisClient, type RedisLink } from '../../src/logs/redis-link.js'
import { eventually } from '../support/eventually.js'

test('who waits for an answer is told that there is none, also where nothing else keeps the process', async () => {
  const program = `
    const { answerWithin } = await import(${JSON.stringify(new URL('../../src/logs/answer-within.js', import.meta.url))})
    await answerWithin(new Promise(() => {}), 50, 'nobody').catch(error => console.log(error.message))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program])
  assert.equal(stdout, 'no answer from nobody in 50 ms\n')
})

test('a server that stays away is tried again each second', async t => {
  t.mock.method(Math, 'random', () => 0.99)
  const tried: number[] = []
  const connect = async () => {
    tried.push(performance.now())
    throw new Error('it is away')
  }
  const link = new Link({ server: 'nobody', connect, close: async () => {}, destroy: async () => {} })
  t.after(() => link.close())
  link.open()
  await eventually('it was tried nine times', () => tried.length === 9)
  const waits = tried.slice(1).map((at, n) => at - (tried[n] ?? 0))
  assert.ok(Math.min(...waits.slice(-2)) < 1500, waits.join())
})

const [asks, hears] = [{} as RedisLink, {} as RedisLink]
const connection = () => ({}) as RedisClient

/** Whether it insists on a connection which leads to a server that was left behind, unless it insists. */
async function insists(insistence: Insistence, link: RedisLink, client = connection()): Promise<boolean> {
  const answer = async (isInsisting: boolean) => {
    if (isInsisting) return
    throw new Error('BEHIND another server has taken over')
  }
  return insistence.ask(link, client, answer).then(
    () => true,
    () => false,
  )
}

test('a log insists on a connection that was made anew, where all have led to the same for long enough', async () => {
  const insistence = new Insistence({ doubt: 50, remembered: 5000 })
  const first = connection()
  assert.equal(await insists(insistence, asks, first), false)
  await sleep(60)
  assert.equal(await insists(insistence, asks, first), false)
  assert.equal(await insists(insistence, hears), false)
  assert.equal(await insists(insistence, asks), true)
  assert.equal(await insists(insistence, asks), false)
})

test('… and never while another connection leads elsewhere', async () => {
  const insistence = new Insistence({ doubt: 50, remembered: 5000 })
  assert.equal(await insists(insistence, asks), false)
  await sleep(60)
  await insistence.ask(hears, connection(), async () => {})
  assert.equal(await insists(insistence, asks), false)
})

test('… nor since it was refused once, long ago', async () => {
  const insistence = new Insistence({ doubt: 50, remembered: 2000 })
  assert.equal(await insists(insistence, asks), false)
  await sleep(2050)
  assert.equal(await insists(insistence, asks), false)
  await sleep(60)
  assert.equal(await insists(insistence, asks), true)
})
