/** Names that are given once: what is called as something else is already is numbered. */
export class Names {
  readonly #taken = new Set<string>()

  /** `Users.show`, then `Users.show.2`. */
  take(name: string): string {
    let free = name
    for (let count = 2; this.#taken.has(free); count++) free = `${name}.${count}`
    this.#taken.add(free)
    return free
  }
}
