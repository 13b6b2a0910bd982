import { $, el, showState } from '../shared/page.js'
import { openSocket, socketUrl } from '../shared/socket.js'
import { showSlide, talk } from './slide.js'

let deck = []
let at = 0
/** Who is here, by the id of their connection. */
const guests = new Map()

function show(slide) {
  at = slide
  showSlide({ slide, of: deck.length, ...deck[slide] })
  $('notes').textContent = deck[slide].notes
  $('then').textContent = deck[slide + 1]?.title ?? 'the end'
  $('previous').disabled = slide === 0
  $('next').disabled = slide === deck.length - 1
}

function showGuests() {
  $('count').textContent = guests.size === 0 ? '' : guests.size
  $('nobody').hidden = guests.size > 0
  $('guests').replaceChildren(
    ...[...guests.values()].map(({ id, name }) =>
      el(
        'li',
        {},
        name,
        el('button', { className: 'plain', ariaLabel: `Call on ${name}`, onclick: () => call(id) }, 'Call on'),
      ),
    ),
  )
}

const hearing = {
  /** The first message of each connection says how things are, so nothing need be replayed here. */
  welcome({ deck: slides, slide, audience }) {
    deck = slides
    guests.clear()
    for (const guest of audience) guests.set(guest.id, guest)
    show(slide)
    showGuests()
  },
  join(guest) {
    guests.set(guest.id, guest)
    showGuests()
  },
  leave({ id }) {
    guests.delete(id)
    showGuests()
  },
  /** Another remote was pressed. */
  slide({ slide }) {
    show(slide)
  },
}

const remote = openSocket(
  () => socketUrl(`../talks/${encodeURIComponent(talk)}/remote`),
  ({ event, data }) => hearing[event]?.(data),
  showState,
)

/** Asks, and says what came of it. */
async function ask(event, data, said = () => '') {
  try {
    $('answer').textContent = said(await remote.request(event, data))
  } catch (error) {
    $('answer').textContent = error.message
  }
}

/** Turns the page here at once; a remote that is not connected stays where the talk is. */
function step(by) {
  const slide = at + by
  if (slide < 0 || slide >= deck.length || !remote.connected) return
  show(slide)
  ask('goto', { slide })
}
const call = guest => ask('call', { guest })

$('previous').onclick = () => step(-1)
$('next').onclick = () => step(1)
addEventListener('keydown', ({ key, target }) => {
  if (target instanceof HTMLInputElement) return
  if (key === 'ArrowRight' || key === 'PageDown') step(1)
  if (key === 'ArrowLeft' || key === 'PageUp') step(-1)
})
$('remark-form').onsubmit = submit => {
  submit.preventDefault()
  const { value } = $('remark')
  $('remark').value = ''
  ask('remark', { text: value }, ({ heard }) => `Sent to ${heard}; who is away will hear it later.`)
}
