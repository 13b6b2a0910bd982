import { $, el, showState } from '../shared/page.js'

const MEBIBYTE = 1_048_576
const mebibytes = bytes => (bytes / MEBIBYTE).toFixed(bytes < 100 * MEBIBYTE ? 1 : 0)

/** The transfer is named in the address, so that other tabs can watch it. */
const id = new URLSearchParams(location.search).get('transfer') ?? crypto.randomUUID()
const address = new URL(`?transfer=${encodeURIComponent(id)}`, location.href)
history.replaceState(undefined, '', address)
$('another').href = address.href
const transfer = `transfers/${encodeURIComponent(id)}`

let chosen
let sending
/** What the last event said, and when it came. */
let last = { received: 0, at: 0 }
let events = 0
let most = 0

function choose(file) {
  chosen = file
  $('chosen').textContent = file.name
  $('size').textContent = `${mebibytes(file.size)} MiB`
  $('send').disabled = false
}

function begin() {
  last = { received: 0, at: performance.now() }
  events = 0
  most = 0
  $('pulse').replaceChildren()
  $('digest').hidden = true
  $('rate').textContent = '–'
  tell('Sending …')
}

function tell(text, outcome = '') {
  $('outcome').textContent = text
  $('outcome').dataset.outcome = outcome
}

/** Everything on the right is drawn from what the event stream says. */
function show({ received, total }) {
  const now = performance.now()
  if (received < last.received || events === 0) begin()
  const came = received - last.received
  const seconds = (now - last.at) / 1000
  const percent = Math.floor((received / total) * 100)
  events++
  $('percent').textContent = percent
  $('bar').style.setProperty('--done', (received / total) * 100)
  $('bar').setAttribute('aria-valuenow', percent)
  $('received').textContent = `${mebibytes(received)} of ${mebibytes(total)} MiB`
  if (events > 1 && seconds > 0.02) $('rate').textContent = `${(came / MEBIBYTE / seconds).toFixed(1)} MiB/s`
  $('events').textContent = events
  const stroke = el('i')
  stroke.dataset.came = came
  $('pulse').append(stroke)
  while ($('pulse').childElementCount > 120) $('pulse').firstElementChild.remove()
  most = Math.max(most, came)
  for (const each of $('pulse').children) each.style.setProperty('--share', each.dataset.came / most)
  last = { received, at: now }
}

const watching = new EventSource(`${transfer}/events`)
watching.onopen = () => showState('live')
watching.onerror = () => showState('lost')
watching.addEventListener('progress', ({ data }) => show(JSON.parse(data)))
watching.addEventListener('done', ({ data }) => {
  const { name, size, sha256 } = JSON.parse(data)
  tell(`${name} has arrived: ${mebibytes(size)} MiB.`, 'done')
  $('digest').hidden = false
  $('digest').textContent = `sha256 ${sha256}`
  events = 0
})
watching.addEventListener('failed', ({ data }) => {
  tell(`It was given up after ${mebibytes(last.received)} MiB: ${JSON.parse(data).reason}.`, 'failed')
  events = 0
})

function isSending(is) {
  $('send').disabled = is || chosen === undefined
  $('stop').disabled = !is
  $('noise').disabled = is
}

async function send() {
  const form = new FormData($('form'))
  const body = new FormData()
  body.set('file', chosen, chosen.name)
  sending = new AbortController()
  isSending(true)
  try {
    const pace = form.get('pace')
    const response = await fetch(pace === '' ? transfer : `${transfer}?pace=${pace}`, {
      method: 'POST',
      body,
      signal: sending.signal,
    })
    if (!response.ok) tell((await response.json()).detail ?? response.statusText, 'failed')
  } catch (error) {
    if (error.name !== 'AbortError') tell(error.message, 'failed')
  } finally {
    isSending(false)
  }
}

$('file').onchange = () => $('file').files.length > 0 && choose($('file').files[0])
$('noise').onclick = () => {
  const block = crypto.getRandomValues(new Uint8Array(65_536))
  choose(
    new File(
      Array.from({ length: 1024 }, () => block),
      'noise.bin',
    ),
  )
}
$('form').onsubmit = submit => {
  submit.preventDefault()
  send()
}
$('stop').onclick = () => sending?.abort()
for (const [event, over] of [
  ['dragover', true],
  ['dragleave', false],
  ['drop', false],
]) {
  $('drop').addEventListener(event, drag => {
    drag.preventDefault()
    $('drop').classList.toggle('over', over)
    if (event === 'drop' && drag.dataTransfer.files.length > 0) choose(drag.dataTransfer.files[0])
  })
}
