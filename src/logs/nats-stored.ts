/** Something that lies in a stream. */
export interface Stored {
  readonly subject: string
  /** Its place in the stream. */
  readonly sequence: number
  /** Its place among what this reader was given: one more than that of the one before. */
  readonly delivered: number
  /** When the server took it, in nanoseconds since 1970, as near as a number comes to that. */
  readonly time: number
  /** What the server holds behind it. */
  readonly pending: number
  readonly token: string
  readonly payload: Uint8Array
}

/** What a node remembers of something that it was given. */
export type Mark = Pick<Stored, 'sequence' | 'token' | 'time'>

/** A message as the client hands it over. */
export interface Delivered {
  readonly subject: string
  readonly reply?: string
  readonly headers?: { readonly code: number; get(name: string): string }
  readonly data: Uint8Array
}

/** Whether it is of the server itself: a heartbeat, or flow control. */
export const isControl = ({ headers, data }: Delivered) => headers?.code === 100 && data.length === 0

/** JetStream says where a message lies in the subject of its reply, from the end: pending, time, delivered, sequence. */
export function readStored({ subject, reply = '', headers, data }: Delivered): Stored {
  const words = reply.split('.')
  const [sequence, delivered, time, pending] = words.slice(words.length === 9 ? 5 : 7).map(Number)
  return {
    subject,
    sequence: sequence ?? 0,
    delivered: delivered ?? 0,
    time: time ?? 0,
    pending: pending ?? 0,
    token: headers?.get('Nats-Msg-Id') ?? '',
    payload: data,
  }
}

export function markOf({ sequence, token, time }: Stored): Mark {
  return { sequence, token, time }
}
