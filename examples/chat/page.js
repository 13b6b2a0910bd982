import { $, addTo, clock, el, showState } from '../shared/page.js'
import { bySocket, byStream } from './transports.js'

/** Who we are: `{ me, token, room, transport }`, kept for as long as the tab lives. */
let pass = JSON.parse(sessionStorage.getItem('chat') ?? 'null')
let connection
/** Whom the next message is for; undefined for all. */
let addressee

// The door

$('door-form').onsubmit = async submit => {
  submit.preventDefault()
  const response = await fetch('sign-in', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: $('name').value }),
  }).catch(() => undefined)
  const answer = (await response?.json()) ?? { detail: 'The server cannot be reached.' }
  $('refusal').textContent = answer.detail ?? ''
  if (!response?.ok) return
  const transport = new FormData($('door-form')).get('transport')
  pass = { ...answer, room: $('room').value, transport }
  sessionStorage.setItem('chat', JSON.stringify(pass))
  enter()
}

function enter() {
  $('door').hidden = true
  $('inside').hidden = false
  $('state').hidden = false
  $('where').textContent = `in ${pass.room}, by ${pass.transport === 'socket' ? 'WebSocket' : 'event stream'}`
  showState('connecting')
  connection = (pass.transport === 'socket' ? bySocket : byStream)(
    pass,
    (event, data) => hearing[event]?.(data),
    state => {
      showState(state)
      if (state === 'lost') checkPass()
    },
  )
  $('text').focus()
}

/** Whether the token still holds: those of a server that was restarted do not. */
async function checkPass() {
  const response = await fetch('me', { headers: { Authorization: `Bearer ${pass.token}` } }).catch(() => undefined)
  if (response?.status === 401) leave()
}

function leave() {
  sessionStorage.removeItem('chat')
  location.reload()
}
$('leave').onclick = leave

// The room

const hearing = {
  welcome({ people }) {
    showPeople(people)
  },
  people: showPeople,
  line(line) {
    quietDown(line.from.id)
    addTo($('lines'), lineOf(line, 'line'))
  },
  whisper(line) {
    const about = line.from.id === pass.me.id ? `to ${line.to.name} only` : 'to you only'
    addTo($('lines'), lineOf(line, 'line whisper', about))
  },
  typing(who) {
    if (who.id === pass.me.id) return
    clearTimeout(typists.get(who.id)?.timer)
    typists.set(who.id, { name: who.name, timer: setTimeout(quietDown, 3000, who.id) })
    showTyping()
  },
  gap() {
    addTo($('lines'), el('li', { className: 'quiet' }, 'Some of what was said is lost.'))
  },
}

function lineOf({ from, text, at }, className, about = '') {
  const mine = from.id === pass.me.id ? ' mine' : ''
  const header = el('header', {}, el('b', {}, from.name), el('time', {}, clock(at)), about)
  return el('li', { className: className + mine }, header, text)
}

function showPeople(people) {
  $('people').replaceChildren(
    ...people.map(who =>
      who.id === pass.me.id
        ? el('li', { className: 'me' }, `${who.name} (you)`)
        : el('li', {}, el('button', { className: 'plain', onclick: () => choose(who) }, who.name)),
    ),
  )
  if (addressee !== undefined && !people.some(({ id }) => id === addressee.id)) choose(undefined)
}

function choose(who) {
  addressee = who
  $('to').hidden = who === undefined
  $('to-name').textContent = `to ${who?.name} only`
  $('text').focus()
}
$('to-all').onclick = () => choose(undefined)

$('say-form').onsubmit = async submit => {
  submit.preventDefault()
  const text = $('text').value
  $('text').value = ''
  $('unsent').textContent = ''
  told = 0
  try {
    if (addressee === undefined) await connection.request('say', { text })
    else await connection.request('whisper', { to: addressee.id, text })
  } catch (error) {
    $('unsent').textContent = `Not sent: ${error.message}`
    $('text').value = text
  }
}

// Who is typing

const typists = new Map()
let told = 0

function quietDown(id) {
  clearTimeout(typists.get(id)?.timer)
  typists.delete(id)
  showTyping()
}

function showTyping() {
  const names = [...typists.values()].map(({ name }) => name)
  $('typing').textContent =
    names.length === 0 ? '' : `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing …`
}

$('text').oninput = () => {
  if (addressee !== undefined || Date.now() - told < 1500) return
  told = Date.now()
  connection.send('typing')
}

if (pass === null) $('door').hidden = false
else enter()
