/** What the compiler says of error mappers: each expected error is one that must stay. Compiled, never run. */
import { type ApplicationOptions, conflict, type ErrorMapper, MapError, notFound } from '../../src/index.js'

class TooLow extends Error {
  constructor(readonly least: number) {
    super(`at least ${least}`)
  }
}

class Politely implements ErrorMapper<TooLow> {
  map(error: TooLow) {
    return conflict(error.message)
  }
}

export const options: ApplicationOptions = {
  errorMappers: [
    { error: TooLow, mapper: error => conflict(error.message) },
    { error: TooLow, mapper: (error: TooLow) => conflict(`at least ${error.least}`) },
    { error: TooLow, mapper: Politely },
    // @ts-expect-error a mapper without its class of errors
    (error: TooLow) => conflict(error.message),
    // @ts-expect-error an answer that is none
    { error: TooLow, mapper: () => ({ status: 409 }) },
  ],
}

@MapError(TooLow, error => notFound(`at least ${error.least}`))
export class Mapped {}
