/** Two ways into a room, with one face: `request` and `send`, and what is heard goes to `onEvent(event, data)`. */
import { openSocket, socketUrl } from '../shared/socket.js'

const EVENTS = ['welcome', 'people', 'line', 'whisper', 'typing', 'gap']

/** A WebSocket: messages both ways. */
export function bySocket({ room, token }, onEvent, onState) {
  const address = lastEventId => socketUrl(`rooms/${room}/socket`, { token, lastEventId })
  return openSocket(address, ({ event, data }) => onEvent(event, data), onState)
}

/** An event stream to hear, and POST to speak. */
export function byStream({ room, token }, onEvent, onState) {
  const open = () => {
    const source = new EventSource(`rooms/${room}/events?token=${encodeURIComponent(token)}`)
    source.onopen = () => onState('live')
    source.onerror = () => onState('lost')
    for (const event of EVENTS) source.addEventListener(event, ({ data }) => onEvent(event, JSON.parse(data)))
  }
  const request = async (event, data) => {
    const response = await fetch(`rooms/${room}/${event}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(data ?? null),
    })
    if (!response.ok) throw new Error((await response.json()).detail)
  }
  open()
  return { request, send: event => request(event).catch(() => {}) }
}
