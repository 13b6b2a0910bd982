/** A handler that returns no promise costs no promise: these go on at once where they can. */

/** Whether `await` would wait for a value. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  const mayBe = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return mayBe && typeof (value as PromiseLike<unknown>).then === 'function'
}

/** Foreign thenables become promises first: their own `then` may return nothing, call back twice, or throw. */
export function then<T, R>(value: T | PromiseLike<T>, next: (value: T) => R | PromiseLike<R>): R | Promise<R> {
  return isPromise(value) ? Promise.resolve(value as PromiseLike<T>).then(next) : (next(value as T) as R)
}

/** Runs something that may throw or reject, and answers with what `fail` makes of that. */
export function attempt<T, R>(run: () => T | PromiseLike<T>, fail: (error: unknown) => R): T | R | PromiseLike<T | R> {
  try {
    const result = run()
    return isPromise(result) ? (result as PromiseLike<T>).then(undefined, fail) : (result as T)
  } catch (error) {
    return fail(error)
  }
}
