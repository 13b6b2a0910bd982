/** The parts of an OpenAPI document that are told here, as the specification has them (OpenAPI 3.1 §4.8, 3.2 §4). */
import type { JsonSchema } from './json-schema.js'
import type { SecurityRequirement, SecurityScheme } from './security.js'

/** What a document is about (§4.8.2): `title` and `version` must be there, the rest goes in as it is given. */
export interface DocumentInfo {
  /** The name of the API. */
  readonly title: string
  /** The version of the API. */
  readonly version: string
  /** What it is for, in CommonMark. */
  readonly description?: string
  readonly [field: string]: unknown
}

/** A whole document (§4.8.1). */
export interface OpenApiDocument {
  /** The version of the specification. */
  readonly openapi: string
  /** What was given. */
  readonly info: DocumentInfo
  /** The operations, by their path and their method. */
  readonly paths: Readonly<Record<string, PathItem>>
  /** What several parts of it refer to. */
  readonly components?: Components
}

/** What a document's parts refer to (§4.8.7). */
export interface Components {
  /** Schemas that have a name. */
  readonly schemas?: Readonly<Record<string, JsonSchema>>
  /** What guards say they ask for. */
  readonly securitySchemes?: Readonly<Record<string, SecurityScheme>>
}

/** The methods that a document has a place for (§4.8.9). */
export type DocumentMethod = 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch'

/** The operations of one path (§4.8.9). */
export type PathItem = { readonly [method in DocumentMethod]?: Operation }

/** One method of one path (§4.8.10). */
export interface Operation {
  /** The handler: `Users.show`. */
  readonly operationId: string
  /** What it does, in a few words. */
  readonly summary?: string
  /** What else is to be known, in CommonMark. */
  readonly description?: string
  /** Whether it should not be used any more. */
  readonly deprecated?: true
  /** What it is listed under. */
  readonly tags: readonly string[]
  /** The hosts that it is bound to, where it is. */
  readonly servers?: readonly DocumentServer[]
  /** What its request line and its header fields say. */
  readonly parameters?: readonly Parameter[]
  /** What it reads. */
  readonly requestBody?: RequestBody
  /** What it answers, by status. */
  readonly responses: Readonly<Record<string, ReplyDescription>>
  /** What its guards ask for: one of these. */
  readonly security?: readonly SecurityRequirement[]
}

/** Where an API is (§4.8.5). */
export interface DocumentServer {
  /** Without a scheme, since the host is bound and the scheme is not. */
  readonly url: string
  /** The parameters of the host. */
  readonly variables?: Readonly<Record<string, { readonly default: string }>>
}

/** A parameter of an operation (§4.8.12). */
export interface Parameter {
  /** As it is written. */
  readonly name: string
  /** Where it is written. */
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  /** Whether it must be there. */
  readonly required?: true
  /** What it means, where that is ours to say. */
  readonly description?: string
  /** What it is like. */
  readonly schema: JsonSchema
}

/** Bodies by their media types (§4.8.14). */
export type Content = Readonly<Record<string, MediaType>>

/** One form of a body (§4.8.14). */
export interface MediaType {
  /** The whole body; in 3.1, of an event stream one event. */
  readonly schema?: JsonSchema
  /** One of the events of an event stream (3.2). */
  readonly itemSchema?: JsonSchema
  /** The media types of the parts of a form (§4.8.15). */
  readonly encoding?: Readonly<Record<string, { readonly contentType: string }>>
}

/** What a request's body may be (§4.8.13). */
export interface RequestBody {
  /** Whether there must be one. */
  readonly required?: true
  /** Its forms. */
  readonly content: Content
}

/** One reply of an operation (§4.8.17). */
export interface ReplyDescription {
  /** What it means. */
  readonly description: string
  /** Its forms; absent where it has no body, or one that nothing is known of. */
  readonly content?: Content
}
