/**
 * A WebSocket that comes back by itself, as an EventSource does: after a pause that grows, and with the id of the last
 * event it has seen, so that the server sends what was missed.
 *
 * @param {(lastEventId: string) => string} address where to connect
 * @param {(message: { event?: string, data?: any, id?: string }) => void} onEvent
 * @param {(state: 'live' | 'lost') => void} onState
 */
export function openSocket(address, onEvent, onState) {
  let socket
  let lastEventId = ''
  let pause = 250
  let asked = 0
  const waiting = new Map()

  const connect = () => {
    socket = new WebSocket(address(lastEventId))
    socket.onopen = () => {
      pause = 250
      onState('live')
    }
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data)
      if (message.id !== undefined) lastEventId = message.id
      if (message.ack !== undefined) settle(message)
      else if (message.event !== undefined) onEvent(message)
    }
    socket.onclose = () => {
      lose()
      setTimeout(connect, pause * (0.5 + Math.random()))
      pause = Math.min(pause * 2, 10_000)
    }
  }

  const lose = () => {
    onState('lost')
    for (const ack of waiting.keys()) settle({ ack, error: { detail: 'The connection was lost.' } })
  }

  const settle = ({ ack, data, error }) => {
    const { resolve, reject } = waiting.get(ack) ?? {}
    waiting.delete(ack)
    if (error === undefined) resolve?.(data)
    else reject?.(new Error(error.detail ?? error.title))
  }

  connect()
  return {
    get connected() {
      return socket.readyState === WebSocket.OPEN
    },
    /** Gives up on a connection whose other end says nothing any more, and makes another at once. */
    renew() {
      socket.onopen = socket.onmessage = socket.onclose = null
      socket.close()
      lose()
      connect()
    },
    /** Sends without asking for an answer; while the connection is lost, nowhere. */
    send(event, data) {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ event, data }))
    },
    /** Sends, and resolves with the handler's answer. */
    request(event, data) {
      if (socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error('Not connected just now.'))
      const ack = ++asked
      socket.send(JSON.stringify({ event, data, ack }))
      return new Promise((resolve, reject) => waiting.set(ack, { resolve, reject }))
    },
  }
}

/** The address of a socket beside this page. */
export function socketUrl(path, query = {}) {
  const url = new URL(path, document.baseURI)
  url.protocol = url.protocol.replace('http', 'ws')
  for (const [name, value] of Object.entries(query)) if (value !== '') url.searchParams.set(name, value)
  return url.href
}
