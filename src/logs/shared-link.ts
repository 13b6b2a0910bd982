import type { Link } from './link.js'

/** A link that is open while anybody uses it. */
export function shareable<L extends Pick<Link<unknown>, 'open' | 'close'>>(link: L) {
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
