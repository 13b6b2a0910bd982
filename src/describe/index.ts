/** The route table, told to others: `palomino/describe`. */

export { asyncapi } from './asyncapi.js'
export type {
  AsyncApiDocument,
  AsyncMessage,
  AsyncOperation,
  AsyncServer,
  Channel,
  Reference,
} from './asyncapi-document.js'
export type { JsonSchema } from './json-schema.js'
export { type OpenApiOptions, openapi } from './openapi.js'
export type {
  Components,
  Content,
  DocumentInfo,
  DocumentMethod,
  DocumentServer,
  MediaType,
  OpenApiDocument,
  Operation,
  Parameter,
  PathItem,
  ReplyDescription,
  RequestBody,
} from './openapi-document.js'
export type { Security, SecurityRequirement, SecurityScheme } from './security.js'
export type { RouteTable } from './table.js'
