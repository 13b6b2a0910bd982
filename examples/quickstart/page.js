import { $, addTo, clock, el, showState } from '../shared/page.js'
import { socketUrl } from '../shared/socket.js'

// The routes as they are mounted here.
for (const route of document.querySelectorAll('code.kind'))
  route.textContent = route.textContent.replace('/', new URL('.', document.baseURI).pathname)

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

// A socket: it has to be opened anew; `../shared/socket.js` has one that misses nothing, too.
let echo
function connect() {
  echo = new WebSocket(socketUrl('echo'))
  echo.onmessage = ({ data }) => addTo($('echoes'), el('li', {}, data))
  echo.onclose = () => setTimeout(connect, 1000)
}
connect()
$('echo-form').onsubmit = submit => {
  submit.preventDefault()
  if (echo.readyState !== WebSocket.OPEN) return
  echo.send($('text').value)
  $('text').value = ''
}
