export { Application, bootstrap, readRoutes } from './application.js'
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
export { MemoryEventLog } from './connections/memory-event-log.js'
export { ConnectionRegistry, type JoinOptions } from './connections/registry.js'
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
export { Body, type BodyOptions, Ctx, Data, Header, inject, Param, Query } from './declare/params.js'
export { Registry, type RegistryOptions, type Retention } from './declare/registry.js'
export {
  All,
  type ConnectionOptions,
  Controller,
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
  Post,
  Put,
  Sse,
  type SseOptions,
  Status,
  WebSocket,
  type WebSocketOptions,
} from './declare/routes.js'
export { boolean, int, number, oneOf, optional, type Range, type Schema } from './declare/schemas.js'
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
  tooManyRequests,
  unauthorized,
  unavailable,
  unprocessable,
  unsupportedMediaType,
  ValidationError,
} from './errors.js'
export type { Logger } from './logger.js'
export type { ApplicationOptions } from './options.js'
export { Context, ContextKey, type Handshake, type Params, type QueryValues } from './pipeline/context.js'
export { MessageContext } from './pipeline/message-context.js'
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
export { RequestContext } from './pipeline/request-context.js'
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
export type { ListenAddress, ListenerLimits } from './server/listener.js'
export { type Middleware, mount } from './server/middleware.js'
export { data, event, type ServerSentEvent } from './sse/encode.js'
export { EventStream } from './sse/event-stream.js'
export { Socket } from './websocket/socket.js'
export type { OnStart, OnStop } from './wiring/container.js'
