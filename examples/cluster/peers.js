import { openSocket, socketUrl } from '../shared/socket.js'

const EVENTS = ['node', 'line', 'presence', 'place', 'gap']

/**
 * Two ways into a room, with one face: what is heard goes to `onEvent(event, data)`, and `renew` gives up on a connection
 * whose other end says nothing any more.
 */
export function bySocket(user, onEvent, onState) {
  const address = lastEventId => socketUrl('rooms/all/socket', { user, lastEventId })
  return openSocket(address, ({ event, data }) => onEvent(event, data), onState)
}

/** An event stream. The browser opens it again by itself, but not where it was refused. */
export function byStream(user, onEvent, onState) {
  let source
  let lastEventId = ''

  const open = () => {
    const query = new URLSearchParams({ user, ...(lastEventId === '' ? {} : { lastEventId }) })
    const opened = new EventSource(`rooms/all/events?${query}`)
    source = opened
    opened.onopen = () => onState('live')
    opened.onerror = () => {
      onState('lost')
      if (opened.readyState !== EventSource.CLOSED) return
      setTimeout(() => source === opened && open(), 500 + Math.random() * 500)
    }
    for (const event of EVENTS) {
      opened.addEventListener(event, message => {
        if (message.lastEventId !== '') lastEventId = message.lastEventId
        if (source === opened) onEvent(event, message.data === '' ? undefined : JSON.parse(message.data))
      })
    }
  }

  open()
  return {
    renew() {
      source.close()
      onState('lost')
      open()
    },
  }
}
