/** Keys that are remembered. */
const KEYS = 10_000

/** Where the messages are that were sent with a key of late. */
export class RecentKeys {
  /** Oldest first. */
  readonly #positions = new Map<string, number>()

  position(key: string): number | undefined {
    return this.#positions.get(key)
  }

  note(key: string, position: number): void {
    this.#positions.set(key, position)
    if (this.#positions.size <= KEYS) return
    for (const oldest of this.#positions.keys()) {
      this.#positions.delete(oldest)
      return
    }
  }
}
