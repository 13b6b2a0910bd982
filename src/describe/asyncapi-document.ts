/** The parts of an AsyncAPI document that are told here, as the specification has them (AsyncAPI 3.0). */
import type { JsonSchema } from './json-schema.js'
import type { DocumentInfo } from './openapi-document.js'

/** Points to another part of the document. */
export interface Reference {
  /** Where it stands: `#/channels/Board`. */
  readonly $ref: string
}

/** A whole document (AsyncAPI 3.0, "AsyncAPI Object"). */
export interface AsyncApiDocument {
  /** The version of the specification. */
  readonly asyncapi: '3.0.0'
  /** What was given. */
  readonly info: DocumentInfo
  /** What messages are, where they do not say it. */
  readonly defaultContentType: 'application/json'
  /** The hosts that routes are bound to, where there are any. */
  readonly servers?: Readonly<Record<string, AsyncServer>>
  /** Event streams and sockets, each where it stands. */
  readonly channels: Readonly<Record<string, Channel>>
  /** What goes through them, and which way. */
  readonly operations: Readonly<Record<string, AsyncOperation>>
  /** What several parts of it refer to. */
  readonly components?: {
    /** Schemas that have a name. */
    readonly schemas?: Readonly<Record<string, JsonSchema>>
    /** What guards say they ask for. */
    readonly securitySchemes?: Readonly<Record<string, JsonSchema>>
  }
}

/** A host ("Server Object"). */
export interface AsyncServer {
  /** Its name, with its parameters. */
  readonly host: string
  /** `http` for event streams, `ws` for sockets, with TLS or without. */
  readonly protocol: 'http' | 'ws'
  /** The parameters of the host. */
  readonly variables?: Readonly<Record<string, { readonly default: string }>>
}

/** One event stream or socket ("Channel Object"). */
export interface Channel {
  /** Its path. */
  readonly address: string
  /** What it is for, in a few words. */
  readonly summary?: string
  /** What else is to be known, in CommonMark. */
  readonly description?: string
  /** What goes through it. */
  readonly messages: Readonly<Record<string, AsyncMessage>>
  /** The values of its path, which are strings. */
  readonly parameters?: Readonly<Record<string, { readonly description?: string; readonly enum?: readonly string[] }>>
  /** The host that it is bound to. */
  readonly servers?: readonly Reference[]
  /** What it is listed under. */
  readonly tags: readonly { readonly name: string }[]
  /** What the handshake of a socket says ("WebSockets Channel Binding"). */
  readonly bindings?: { readonly ws: JsonSchema }
}

/** One kind of message ("Message Object"). */
export interface AsyncMessage {
  /** The name of its event. */
  readonly name?: string
  /** What it is, in a few words. */
  readonly summary?: string
  /** What else is to be known, in CommonMark. */
  readonly description?: string
  /** Whether it should not be used any more. */
  readonly deprecated?: true
  /** What the payload is. @default `defaultContentType` */
  readonly contentType?: string
  /** The fields of an event besides its data. */
  readonly headers?: JsonSchema
  /** The data of an event; of a socket, the whole message. */
  readonly payload: JsonSchema
}

/** One way through a channel, as the application sees it ("Operation Object"). */
export interface AsyncOperation {
  /** `receive` for what peers send, `send` for what they are sent. */
  readonly action: 'receive' | 'send'
  /** Where. */
  readonly channel: Reference
  /** What it does, in a few words. */
  readonly summary?: string
  /** What else is to be known, in CommonMark. */
  readonly description?: string
  /** Which of the channel's messages. */
  readonly messages: readonly Reference[]
  /** What acknowledges them, where a peer asks for it. */
  readonly reply?: { readonly channel: Reference; readonly messages: readonly Reference[] }
  /** What its guards ask for: one of these. */
  readonly security?: readonly Reference[]
  /** The request that opens an event stream ("HTTP Operation Binding"). */
  readonly bindings?: { readonly http: JsonSchema }
}
