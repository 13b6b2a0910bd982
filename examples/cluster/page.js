import { $, addTo, clock, el, showState } from '../shared/page.js'
import { drawLane } from './lanes.js'
import { bySocket, byStream } from './peers.js'
import { Tally } from './tally.js'

/** Names the lines of this tab. */
const me = crypto.randomUUID().slice(0, 8)
/** Milliseconds between two lines; for the answer to one; without a word until a peer looks for another node. */
const PACE = 100
const PATIENCE = 4000
const SILENCE = 3000

const NODES = ['one', 'two', 'three']
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Asks until a node answers. */
async function ask(path, options) {
  for (;;) {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE) }).catch(() => undefined)
    if (response?.ok) return response
    await wait(250)
  }
}

/** Where the supervisor takes orders. */
const { address } = await (await ask('supervisor')).json()

function tell(text) {
  addTo($('happened'), el('li', {}, el('time', {}, clock(Date.now())), text))
  while ($('happened').childElementCount > 200) $('happened').firstElementChild.remove()
}

// Peers

class Peer {
  tally = new Tally()
  /** The node that it hangs on; while it hangs on none, undefined. */
  node
  heardAt = performance.now()
  /** How often it gave up on a node since it heard a line. */
  attempts = 0
  /** Who is present, as it was told. */
  here = new Map()
  #was

  constructor(name, open) {
    this.name = name
    this.kind = open === bySocket ? 'socket' : 'stream'
    this.row = rowOf(this)
    this.chip = el('li', { className: 'chip' }, name)
    $('peers').append(this.row.row)
    this.connection = open(
      `${name} ${me}`,
      (event, data) => this.#hear(event, data),
      state => {
        if (state === 'lost') this.#lose()
      },
    )
  }

  #hear(event, data) {
    this.heardAt = performance.now()
    if (event === 'node') this.#arrive(data.name)
    else if (event === 'presence') this.#meet(data)
    else if (event === 'gap') tell(`${this.name} was told that lines are lost.`)
    else if (event === 'line') {
      const [by, n] = (data.key ?? '').split(' ')
      if (by !== me) return
      this.attempts = 0
      this.tally.hear(Number(n), this.node)
      changed()
    }
  }

  #arrive(node) {
    this.node = node
    if (this.#was !== undefined) tell(`${this.name} is back, on ${node}.`)
    this.#was = node
    changed()
  }

  #lose() {
    if (this.node !== undefined) tell(`${this.name} lost ${this.node}.`)
    this.node = undefined
    changed()
  }

  #meet({ users, joined = [], changed: others = [], left = [] }) {
    if (users !== undefined) this.here.clear()
    for (const { user, metas } of [...(users ?? []), ...joined, ...others]) this.here.set(user, metas)
    for (const { user } of left) this.here.delete(user)
    changed()
  }

  /** A frozen node ends no connection: who hears nothing, while others do, looks for another. */
  look(newest) {
    const silence = performance.now() - this.heardAt
    if (this.tally.last >= newest || silence < SILENCE * (1 + this.attempts)) return
    this.attempts++
    this.heardAt = performance.now()
    this.connection.renew()
  }
}

function rowOf({ name, kind }) {
  const lane = el('canvas', { className: 'lane' })
  lane.setAttribute('aria-hidden', 'true')
  const [where, received, missed, repeated, sees] = Array.from({ length: 5 }, () => el('b', {}, '0'))
  const who = el('div', { className: 'who' }, el('b', {}, name), el('span', { className: 'quiet' }, kind))
  const counts = el('p', { className: 'counts quiet' })
  counts.append(received, ' received, ', missed, ' missed, ', repeated, ' repeated; sees ', sees)
  where.className = 'tag'
  received.className = 'received'
  sees.className = 'sees'
  return { row: el('li', {}, who, where, lane, counts), lane, where, received, missed, repeated, sees }
}

const peers = [
  ['Ada', byStream],
  ['Alan', bySocket],
  ['Grace', byStream],
  ['Edsger', bySocket],
  ['Radia', byStream],
  ['Tim', bySocket],
].map(([name, open]) => new Peer(name, open))

// What is said

let sent = 0
let paused = false

/** Says a line until a node answers that the log has it. With its key it is kept once, however often it is said. */
async function say(n) {
  const late = setTimeout(() => {
    $('saying').textContent = `Line ${n} has no answer yet: it is said again and again, and kept once.`
  }, 1000)
  await ask('rooms/all', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ text: `line ${n}`, key: `${me} ${n}` }),
  })
  clearTimeout(late)
}

async function speak() {
  while (peers.some(({ node }) => node === undefined)) await wait(50)
  for (;;) {
    if (paused) $('saying').textContent = 'Nothing is said.'
    while (paused) await wait(50)
    await say(sent + 1)
    sent++
    $('saying').textContent = 'Ten lines a second, each to any node.'
    changed()
    await wait(PACE)
  }
}

$('pause').onclick = () => {
  paused = !paused
  $('pause').textContent = paused ? 'Go on' : 'Pause'
}

// What the supervisor says, and is told

let status = { nodes: NODES.map(name => ({ name, state: 'unknown', connections: 0 })) }

function order(path, text) {
  return async ({ currentTarget: button }) => {
    button.disabled = true
    tell(text)
    const response = await fetch(`${address}/${path}`, { method: 'POST' }).catch(() => undefined)
    if (!response?.ok) tell((await response?.json())?.detail ?? 'The supervisor cannot be reached.')
    button.disabled = false
  }
}

const button = (label, path, text) => {
  const made = el('button', { type: 'button', className: 'plain', onclick: order(path, text) }, label)
  made.dataset.order = path
  return made
}

const cards = new Map()

/** A node's card, or Redis'. */
function cardOf(name, title, ...buttons) {
  const [state, detail] = [el('span', { className: 'state' }), el('p', { className: 'quiet detail' })]
  const chips = el('ul', { className: 'chips' })
  const actions = el('div', { className: 'row' }, ...buttons)
  const head = el('header', {}, el('h3', {}, title), state)
  const item = el('li', { className: 'card node' }, head, detail, chips, actions)
  item.dataset.node = name
  $('nodes').append(item)
  return { item, state, detail, chips, actions }
}

for (const name of NODES) {
  const orders = [
    button('Kill', `nodes/${name}/kill`, `${name} is killed.`),
    button('Restart', `nodes/${name}/restart`, `${name} drains, and starts again.`),
    button('Freeze', `nodes/${name}/freeze`, `${name} is frozen.`),
    button('Thaw', `nodes/${name}/thaw`, `${name} thaws.`),
    button('Start', `nodes/${name}/start`, `${name} is started.`),
  ]
  cards.set(name, cardOf(name, `Node ${name}`, ...orders))
}
const stopRedis = button('Stop Redis', 'redis/stop', 'Redis is stopped.')
const startRedis = button('Start Redis', 'redis/start', 'Redis is started.')
const log = cardOf('log', 'The log', stopRedis, startRedis)

const fitting = {
  serving: ['kill', 'restart', 'freeze'],
  frozen: ['kill', 'thaw'],
  draining: ['kill'],
  down: ['start'],
}

function showCard({ state, detail, actions }, how, isWell, text) {
  state.textContent = how
  state.dataset.state = isWell ? 'live' : 'lost'
  detail.textContent = text
  actions.inert = !reached
}

function showNode({ name, state, pid, connections }) {
  const card = cards.get(name)
  const text = pid === undefined ? 'no process' : `pid ${pid} · ${connections} connections`
  showCard(card, state, state === 'serving', text)
  for (const each of card.actions.children)
    each.hidden = !(fitting[state] ?? []).includes(each.dataset.order.split('/')[2])
  card.chips.replaceChildren(...peers.filter(({ node }) => node === name).map(({ chip }) => chip))
}

function showLog(redis) {
  const where = 'in the memory of the process that supervises, over IPC'
  showCard(log, redis?.state ?? 'up', (redis?.state ?? 'up') === 'up', redis === undefined ? where : 'in Redis')
  if (redis?.pid !== undefined) log.detail.textContent = `in Redis · pid ${redis.pid}`
  stopRedis.hidden = redis?.state !== 'up'
  startRedis.hidden = redis?.state !== 'down'
  log.chips.replaceChildren(...peers.filter(({ node }) => node === undefined).map(({ chip }) => chip))
  if (log.chips.childElementCount > 0) log.chips.prepend(el('li', { className: 'quiet' }, 'between two nodes:'))
}

let reached = false
const watching = new EventSource(`${address}/status`)
watching.onopen = () => {
  reached = true
  changed()
}
watching.onerror = () => {
  reached = false
  changed()
}
watching.addEventListener('status', ({ data }) => {
  status = JSON.parse(data)
  changed()
})

// All is drawn once a frame, where anything has changed.

let drawing = false
function changed() {
  if (drawing) return
  drawing = true
  requestAnimationFrame(() => {
    drawing = false
    draw()
  })
}

const sum = count => peers.reduce((total, { tally }) => total + count(tally), 0)

function draw() {
  const newest = Math.max(sent, ...peers.map(({ tally }) => tally.last))
  const missed = sum(tally => tally.missed)
  const repeated = sum(tally => tally.repeated)
  $('sent').textContent = sent
  $('received').textContent = sum(tally => tally.received)
  $('due').textContent = newest * peers.length
  $('missed').textContent = missed
  $('repeated').textContent = repeated
  $('missed').dataset.well = missed === 0
  $('repeated').dataset.well = repeated === 0
  for (const peer of peers) drawPeer(peer, newest)
  status.nodes.forEach(showNode)
  showLog(status.redis)
  showPresent()
  $('note').hidden = reached
  showState(peers.every(({ node }) => node !== undefined) ? 'live' : 'lost')
}

function drawPeer({ tally, node, here, row }, newest) {
  row.where.textContent = node ?? 'away'
  row.where.dataset.node = node ?? ''
  row.received.textContent = tally.received
  row.missed.textContent = tally.missed
  row.repeated.textContent = tally.repeated
  row.sees.textContent = here.size
  drawLane(row.lane, tally, newest)
}

/** As one sees it that hangs on a node. */
function showPresent() {
  const { here } = peers.find(({ node }) => node !== undefined) ?? peers[0]
  const sorted = [...here].sort(([one], [other]) => one.localeCompare(other))
  $('present').replaceChildren(
    ...sorted.map(([user, metas]) => {
      const [name, tab] = user.split(' ')
      const where = metas.map(({ node }) => node).join(', ')
      const chip = el('li', { className: 'chip' }, name, el('small', {}, where === '' ? 'lingers' : where))
      if (tab !== me) chip.classList.add('other')
      return chip
    }),
  )
}

setInterval(() => {
  for (const peer of peers) peer.look(sent)
}, 250)
tell('The page was opened.')
changed()
speak()
