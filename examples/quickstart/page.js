import { $, addTo, clock, el, showState } from '../shared/page.js'
import { socketUrl } from '../shared/socket.js'

// A route.
async function welcome() {
  const response = await fetch(`welcome/${encodeURIComponent($('name').value)}`)
  $('welcome').textContent = JSON.stringify(await response.json(), undefined, 2)
}
$('welcome-form').onsubmit = submit => {
  submit.preventDefault()
  welcome()
}
welcome()

// An event stream: it comes back by itself.
const time = new EventSource('time')
time.onopen = () => showState('live')
time.onerror = () => showState('lost')
time.addEventListener('time', ({ data }) => {
  $('time').textContent = clock(JSON.parse(data))
})

// A socket, as plain as it gets; `../shared/socket.js` has one that comes back.
const echo = new WebSocket(socketUrl('echo'))
echo.onmessage = ({ data }) => addTo($('echoes'), el('li', {}, data))
$('echo-form').onsubmit = submit => {
  submit.preventDefault()
  echo.send($('text').value)
  $('text').value = ''
}
