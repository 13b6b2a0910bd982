/** What one peer has heard of the lines that this page says, which are numbered from 1. */
export class Tally {
  received = 0
  repeated = 0
  /** The last that it heard. */
  last = 0
  #holes = new Set()
  /** By which node the newest came, by their number. */
  #by = new Map()

  /** Numbers that did not come, though a later one did. */
  get missed() {
    return this.#holes.size
  }

  hear(n, node) {
    if (n > this.last) {
      for (let hole = this.last + 1; hole < n; hole++) this.#holes.add(hole)
      this.last = n
    } else if (!this.#holes.delete(n)) {
      this.repeated++
      return
    }
    this.received++
    this.#by.set(n, node)
    this.#by.delete(n - 500)
  }

  /** The node that a line came by; undefined where it has not come. */
  by(n) {
    return this.#by.get(n)
  }
}
