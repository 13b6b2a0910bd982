/** Settles when a queue has run empty: `true`; `false` when it was dropped. */
export class Drained {
  tell: (taken: boolean) => void = () => {}
  readonly promise = new Promise<boolean>(resolve => {
    this.tell = resolve
  })
}
