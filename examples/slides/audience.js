import { $, addTo, el, showState } from '../shared/page.js'
import { showSlide, talk } from './slide.js'

const NAMES = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan', 'Margaret', 'Joe', 'Radia']

$('name').value = sessionStorage.getItem('name') ?? NAMES[Math.floor(Math.random() * NAMES.length)]
let me
let source

function heard(className, text) {
  addTo($('heard'), el('li', { className }, text))
}

function sitDown() {
  source?.close()
  source = new EventSource(`talks/${encodeURIComponent(talk)}/events?name=${encodeURIComponent($('name').value)}`)
  source.onopen = () => showState('live')
  source.onerror = () => showState('lost')
  for (const [event, hear] of Object.entries(hearing)) {
    source.addEventListener(event, ({ data }) => hear(data === '' ? {} : JSON.parse(data)))
  }
}

const hearing = {
  /** The first event of each connection: with the slide for a newcomer; who comes back gets what was missed instead. */
  welcome({ you, ...slide }) {
    const back = me !== undefined && slide.title === undefined
    me = you
    if (slide.title !== undefined) showSlide(slide)
    heard('quiet', back ? 'You are back. What you missed:' : `You are here as ${you.name}.`)
  },
  slide(slide) {
    showSlide(slide)
    heard('quiet', `Slide ${slide.slide + 1}: ${slide.title}`)
  },
  remark({ text }) {
    heard('remark', text)
  },
  /** The server forgot what we missed (it was restarted, or we were away for long): begin anew. */
  gap() {
    heard('quiet', 'You missed something that nobody remembers.')
    sitDown()
  },
  call() {
    $('call').hidden = false
    setTimeout(() => {
      $('call').hidden = true
    }, 6000)
  },
}

$('name-form').onsubmit = submit => {
  submit.preventDefault()
  sessionStorage.setItem('name', $('name').value)
  sitDown()
}
$('cut').onclick = () => fetch(`audience/${me.id}`, { method: 'DELETE' })

sitDown()
