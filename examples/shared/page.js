/** The element with this id. */
export const $ = id => document.getElementById(id)

/** An element with properties and children; strings become text, never markup. */
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

const words = { live: 'Live', lost: 'Reconnecting …', closed: 'Closed', connecting: 'Connecting …' }

/** Says in the page's head how the connection is. */
export function showState(state) {
  $('state').dataset.state = state
  $('state').textContent = words[state]
}

/** Adds to a list, and keeps its end in view for those who were reading there. */
export function addTo(list, item) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
  list.append(item)
  if (atEnd) list.scrollTop = list.scrollHeight
}

export const clock = time =>
  new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })
