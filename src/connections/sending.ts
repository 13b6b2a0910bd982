import { nameExchange } from '../logger.js'
import type { Handshake } from '../pipeline/context.js'
import type { Plan } from './plan.js'

/**
 * What a send comes to. Who does not wait for it does not hear of its failure: that is logged then, and does not end the
 * process, as the rejection of any other promise that nobody waits for does.
 */
class Sending<T> extends Promise<T> {
  #isAwaited = false

  /** What is made of it by `then` is a promise like all others. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  /** @param unheard told of a failure that nobody waits for */
  constructor(work: Promise<T>, unheard: (error: unknown) => void) {
    super((resolve, reject) => void work.then(resolve, reject))
    super.then(undefined, error => setImmediate(() => this.#isAwaited || unheard(error)))
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise that knows whether somebody waits for it
  override then<A = T, B = never>(
    kept?: ((value: T) => A | PromiseLike<A>) | null,
    broken?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isAwaited = true
    return super.then(kept, broken)
  }
}

/** Sends; what cannot be sent at all rejects, too. What is done at once can fail no more, and is an ordinary promise. */
export function sending<T>(send: () => T | Promise<T>, unheard: (error: unknown) => void): Promise<T> {
  let sent: T | Promise<T>
  try {
    sent = send()
  } catch (error) {
    sent = Promise.reject(error)
  }
  return sent instanceof Promise ? new Sending(sent, unheard) : Promise.resolve(sent)
}

/** What comes of a value that a connection cannot send: nothing else ends. */
export function unsent(
  error: unknown,
  { plan, handshake }: { readonly plan: Pick<Plan<never>, 'route' | 'logger'>; readonly handshake: Handshake },
): Promise<never> {
  const where = nameExchange(plan.route, handshake)
  return new Sending<never>(Promise.reject(error), () => plan.logger.error(`${where} sent what cannot be sent`, error))
}
