import type { Codec } from './codec.js'
import type { LogMessage } from './event-log.js'

/**
 * Encodes a message once for each wire format and id, however many peers it goes to within one turn of the event loop:
 * those of a room, and those that come back together.
 */
export class Encodings {
  readonly #made = new Map<LogMessage, Map<Codec, Map<string | undefined, Buffer>>>()

  /** What was asked for last, which the next member of a room nearly always asks for, too. */
  #last: Form | undefined

  #lastPlace: Place | undefined

  bytes(message: LogMessage, codec: Codec, id: string | undefined): Buffer {
    const last = this.#last
    if (last !== undefined && last.message === message && last.codec === codec && last.id === id) return last.bytes
    const bytes = this.#find(message, codec, id)
    this.#last = { message, codec, id, bytes }
    return bytes
  }

  /** The form of an id alone: peers that come one after another stand at the same place, mostly. */
  place(codec: Codec, id: string): Buffer {
    if (this.#lastPlace?.codec !== codec || this.#lastPlace.id !== id)
      this.#lastPlace = { codec, id, bytes: codec.encode({ id }) }
    return this.#lastPlace.bytes
  }

  #find(message: LogMessage, codec: Codec, id: string | undefined): Buffer {
    const forms = this.#made.get(message)?.get(codec) ?? this.#forms(message, codec)
    const known = forms.get(id)
    if (known !== undefined) return known
    const { event, data } = message
    const bytes = codec.encode({ event, data, ...(id === undefined ? {} : { id }) })
    forms.set(id, bytes)
    return bytes
  }

  #forms(message: LogMessage, codec: Codec): Map<string | undefined, Buffer> {
    if (this.#made.size === 0) setImmediate(() => this.#clear())
    const forms = new Map<string | undefined, Buffer>()
    const codecs = this.#made.get(message) ?? new Map<Codec, typeof forms>()
    this.#made.set(message, codecs.set(codec, forms))
    return forms
  }

  #clear(): void {
    this.#made.clear()
    this.#last = undefined
  }
}

interface Place {
  readonly codec: Codec
  readonly id: string | undefined
  readonly bytes: Buffer
}

interface Form extends Place {
  readonly message: LogMessage
}
