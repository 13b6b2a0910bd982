import { require } from '../declare/require.js'

/**
 * A package, or a module of Node's, that is loaded when it is first needed, and not at boot: most applications never send
 * a file, sit behind no proxy, read no cookie, or leave TLS to others, and each costs 5 to 20 ms of their start.
 */
export function lazily<T>(name: string): () => T {
  let loaded: T | undefined
  return () => {
    loaded ??= require(name) as T
    return loaded
  }
}
