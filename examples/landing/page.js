import { $, clock, showState } from '../shared/page.js'

const time = new EventSource('/quickstart/time')
time.onopen = () => showState('live')
time.onerror = () => showState('lost')
time.addEventListener('time', ({ data }) => {
  $('time').textContent = clock(JSON.parse(data))
})

$('routes').textContent = await (await fetch('/routes')).text()
