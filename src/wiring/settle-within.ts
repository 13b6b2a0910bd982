/** Settles as `end` does; rejects where that takes longer than `patience` milliseconds. */
export function settleWithin(patience: number, what: string, end: () => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`${what} has not settled within ${patience} ms: it is given up`))
    const timer = setTimeout(late, patience)
    const ended = new Promise(settle => settle(end()))
    ended.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
