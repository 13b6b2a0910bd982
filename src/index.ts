export { Application, readRoutes } from './application.js'
export { bootstrap } from './bootstrap.js'
export { type CloseReason, type Stop, type StopOptions, stop } from './connections/close-reason.js'
export { Connection } from './connections/connection.js'
export {
  EVERYWHERE,
  EventLog,
  type LogEntry,
  type LogHealth,
  type LogListener,
  type LogMessage,
  type LogRetention,
  type Notice,
  type OpenEventLog,
  type Page,
  type Place,
} from './connections/event-log.js'
export type { JoinOptions } from './connections/joining.js'
export { MemoryEventLog } from './connections/memory-event-log.js'
export type { Presence, PresenceDiff, PresenceEvent } from './connections/presence.js'
export { ConnectionRegistry } from './connections/registry.js'
export type { Target } from './connections/target.js'
export type { AbstractClass, Class, Token } from './declare/metadata.js'
export {
  Injectable,
  type InjectableOptions,
  Module,
  type ModuleOptions,
  type PlacedModule,
  type Provider,
  type Scope,
} from './declare/module.js'
export {
  Body,
  type BodyOptions,
  Cookie,
  Ctx,
  Data,
  Header,
  inject,
  Param,
  Query,
  type ReadCookieOptions,
} from './declare/params.js'
export { type PresenceOptions, Registry, type RegistryOptions, type Retention } from './declare/registry.js'
export {
  All,
  type Coding,
  type CompressionOptions,
  type ConnectionOptions,
  Controller,
  type ControllerOptions,
  compose,
  Delete,
  Get,
  Head,
  type HttpOptions,
  On,
  type OnOptions,
  Options,
  type Overflow,
  Patch,
  type PlaceOptions,
  Post,
  Put,
  Sse,
  type SseOptions,
  Status,
  WebSocket,
  type WebSocketOptions,
} from './declare/routes.js'
export { boolean, int, number, oneOf, optional, type Range, type Schema } from './declare/schemas.js'
export { File, type FileOptions, Files, type FilesOptions, type UploadOptions } from './declare/uploads.js'
export { describeRoute, formatRoutes, type RouteDescription } from './describe/text.js'
export {
  AddressInUseError,
  badRequest,
  ConfigurationError,
  ConnectionClosedError,
  conflict,
  contentTooLarge,
  EventLogUnavailableError,
  forbidden,
  gone,
  HttpError,
  type HttpErrorOptions,
  type Issue,
  methodNotAllowed,
  NotSentError,
  notAcceptable,
  notFound,
  OutputError,
  type Problem,
  StartError,
  tooManyRequests,
  unauthorized,
  unavailable,
  unprocessable,
  unsupportedMediaType,
  ValidationError,
} from './errors.js'
export { type FilePolicy, type FileReplyOptions, file } from './http/file.js'
export { type Fields, Upload, Uploads } from './http/upload.js'
export type { Logger } from './logger.js'
export type { ApplicationOptions } from './options.js'
export { Accepts } from './pipeline/accepts.js'
export { ConnectionContext } from './pipeline/connection-context.js'
export { Context, ContextKey, type Handshake, type Params, type QueryValues } from './pipeline/context.js'
export type { CookieOptions, Cookies, SetCookie } from './pipeline/cookies.js'
export { currentContext } from './pipeline/current.js'
export { MessageContext } from './pipeline/message-context.js'
export type { ProxyFields, TrustAddress, TrustProxy } from './pipeline/proxy.js'
export {
  created,
  type HeaderValue,
  html,
  ndjson,
  noContent,
  Reply,
  type ReplyOptions,
  redirect,
  reply,
  text,
  upgrade,
} from './pipeline/reply.js'
export { type Progress, RequestContext } from './pipeline/request-context.js'
export type { RequestIdOptions } from './pipeline/request-id.js'
export {
  type Admission,
  type ErrorMapper,
  type ErrorMapperLike,
  type ErrorMapping,
  fromContext,
  Guard,
  type GuardLike,
  Intercept,
  type Interceptor,
  type InterceptorLike,
  MapError,
} from './pipeline/surroundings.js'
export { createPublisher, type EventsOf, Publisher, type PublisherOptions } from './publisher.js'
export type { MessageRow, Route, RouteKind } from './routing/table.js'
export type { Versioning } from './routing/versioning.js'
export type { HealthCheck, HealthOptions } from './server/health.js'
export type { Http2Options } from './server/http2.js'
export type { LeaveOptions } from './server/leave.js'
export type { ListenAddress, ListenerLimits } from './server/listener.js'
export { type Middleware, type MountOptions, mount } from './server/middleware.js'
export type { ListenerProtocols } from './server/protocols.js'
export { type ServeFilesOptions, serveFiles } from './server/serve-files.js'
export type { TlsOptions } from './server/tls.js'
export { data, event, type ServerSentEvent } from './sse/encode.js'
export { EventStream } from './sse/event-stream.js'
export { Socket } from './websocket/socket.js'
export type { OnStart, OnStop } from './wiring/container.js'
export type { Workers } from './workers/workers.js'
