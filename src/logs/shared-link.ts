import type { Link } from './link.js'

/** A link that is open while anybody uses it. */
export function shareable<C>(link: Link<C>) {
  let users = 0
  return {
    link,
    enter() {
      users++
      link.open()
    },
    async leave() {
      users--
      if (users === 0) await link.close()
    },
  }
}
