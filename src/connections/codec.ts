import { type Lacks, writeJson } from '../pipeline/json.js'

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

const notSent: Lacks = (value, _who, why, cure) =>
  why === undefined
    ? `${typeof value} cannot be sent: what is sent must have a JSON form`
    : `what is sent must have a JSON form (${why}): send ${cure}`

/** JSON text of what is sent. @throws TypeError for what JSON has no word for */
export function toJson(value: unknown): string {
  return writeJson(value, notSent)
}
