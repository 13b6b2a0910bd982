/** What a registry sends, before a transport has given it a form. `data` is JSON text. */
export interface RegistryEvent {
  readonly event?: string | undefined
  readonly data?: string | undefined
  readonly id?: string | undefined
}

/** Turns an event into the bytes of one transport: made once for all connections that share the codec. */
export interface Codec {
  encode(event: RegistryEvent): Buffer
}

/** JSON text. @throws TypeError for what JSON has no word for: `undefined`, functions, symbols, cycles, BigInts */
export function toJson(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    const [why] = cause.message.split('\n')
    throw new TypeError(`what is sent must have a JSON form (${why}): send a BigInt as a string, and no cycle`, {
      cause,
    })
  }
  if (text === undefined) throw new TypeError(`${typeof value} cannot be sent: what is sent must have a JSON form`)
  return text
}
