/**
 * A set that nearly always has one element, kept as it is: a `Set` of one takes 200 bytes, and an idle connection would
 * have three of them (`idle-sse`).
 */
export class Few<T extends string | object> implements Iterable<T> {
  #one: T | undefined
  #all: Set<T> | undefined

  get size(): number {
    if (this.#all !== undefined) return this.#all.size
    return this.#one === undefined ? 0 : 1
  }

  has(element: T): boolean {
    return this.#all === undefined ? this.#one === element : this.#all.has(element)
  }

  add(element: T): void {
    if (this.#all !== undefined) this.#all.add(element)
    else if (this.#one === undefined) this.#one = element
    else if (this.#one !== element) this.#all = new Set([this.#one, element])
  }

  delete(element: T): void {
    if (this.#all !== undefined) this.#all.delete(element)
    else if (this.#one === element) this.#one = undefined
  }

  [Symbol.iterator](): Iterator<T> {
    if (this.#all !== undefined) return this.#all.values()
    return (this.#one === undefined ? [] : [this.#one]).values()
  }
}
