import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type AbstractClass, openDeclaration, openMember, type ParamDeclaration, type Token } from './metadata.js'

type Schema = StandardSchemaV1
type Decorate = (target: object, key: string | symbol | undefined, index: number) => void

/** Where a parameter decorator of any room leaves its declaration. */
export function declareParam(declaration: ParamDeclaration): Decorate {
  return (target, key, index) => {
    if (key === undefined) {
      const written = `@${declaration.source[0]?.toUpperCase()}${declaration.source.slice(1)}`
      const { problems } = openDeclaration(target as AbstractClass)
      problems.push(
        `${(target as AbstractClass).name}: ${written} stands in the constructor; it belongs to a handler's parameter`,
      )
      return
    }
    openMember(target, key).params.set(index, declaration)
  }
}

const isSchema = (value: unknown): value is Schema =>
  (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value

function named(
  source: ParamDeclaration['source'],
  nameOrSchema?: string | Schema,
  schema?: Schema,
  options?: object,
): Decorate {
  if (isSchema(nameOrSchema)) return declareParam({ source, schema: nameOrSchema })
  if (nameOrSchema !== undefined && schema === undefined && options === undefined)
    return declareParam({ source, name: nameOrSchema })
  return declareParam({
    source,
    ...(nameOrSchema === undefined ? {} : { name: nameOrSchema }),
    ...(schema === undefined ? {} : { schema }),
    ...(options === undefined ? {} : { options }),
  })
}

/** A value of the path's pattern, as a string or as `schema` reads it; without a name, all of them. */
export function Param(name: string, schema?: Schema): Decorate
export function Param(schema?: Schema): Decorate
export function Param(nameOrSchema?: string | Schema, schema?: Schema): Decorate {
  return named('param', nameOrSchema, schema)
}

/** A value of the query: a string, or an array of them where the name is repeated; without a name, all of them. */
export function Query(name: string, schema?: Schema): Decorate
export function Query(schema?: Schema): Decorate
export function Query(nameOrSchema?: string | Schema, schema?: Schema): Decorate {
  return named('query', nameOrSchema, schema)
}

/** A header field of the request, by its name in any case; without a name, all of them. */
export function Header(name: string, schema?: Schema): Decorate
export function Header(schema?: Schema): Decorate
export function Header(nameOrSchema?: string | Schema, schema?: Schema): Decorate {
  return named('header', typeof nameOrSchema === 'string' ? nameOrSchema.toLowerCase() : nameOrSchema, schema)
}

/** How `@Cookie` reads. */
export interface ReadCookieOptions {
  /** Whether the cookie was set with `signed`: one that was not, or was forged, is not there. @default false */
  readonly signed?: boolean
}

/**
 * A cookie of the request, or undefined: of several with one name the first. Without a name, all of them as they came,
 * signatures not looked at.
 */
export function Cookie(name: string, schema?: Schema, options?: ReadCookieOptions): Decorate
export function Cookie(name: string, options: ReadCookieOptions): Decorate
export function Cookie(schema?: Schema): Decorate
export function Cookie(
  nameOrSchema?: string | Schema,
  schemaOrOptions?: Schema | ReadCookieOptions,
  options?: ReadCookieOptions,
): Decorate {
  const [schema, given] = isSchema(schemaOrOptions)
    ? [schemaOrOptions, options]
    : [undefined, schemaOrOptions ?? options]
  return named('cookie', nameOrSchema, schema, given)
}

/** How `@Body` reads. */
export interface BodyOptions {
  /**
   * What the body is read as, whatever its `Content-Type`: `raw` gives a `Buffer`, `text` a string.
   * @default by `Content-Type`: JSON, URL-encoded form or text; anything else is 415
   */
  readonly as?: 'json' | 'form' | 'text' | 'raw'
  /** Bytes at the most; more is 413. @default the application's `bodyLimit` */
  readonly limit?: number
}

/** The body of the request, read once, when it is needed, under its limit. */
export function Body(schema?: Schema, options?: BodyOptions): Decorate
export function Body(options: BodyOptions): Decorate
export function Body(schemaOrOptions?: Schema | BodyOptions, options?: BodyOptions): Decorate {
  if (isSchema(schemaOrOptions)) {
    return declareParam({ source: 'body', schema: schemaOrOptions, ...(options === undefined ? {} : { options }) })
  }
  const given = schemaOrOptions ?? options
  return declareParam({ source: 'body', ...(given === undefined ? {} : { options: given }) })
}

/** The data of the message that an `@On` handler answers. */
export function Data(schema?: Schema): Decorate {
  return declareParam({ source: 'data', ...(schema === undefined ? {} : { schema }) })
}

/** The context of the exchange: what `Context` as a parameter's type gives, for compilers that emit no metadata. */
export function Ctx(): Decorate {
  return declareParam({ source: 'context' })
}

/**
 * The token of a dependency, where the type does not say it: an interface, a string token, or a compiler that emits no
 * metadata. On a constructor's parameter any token; on a handler's `EventStream`, `Socket`, `Context` or `AbortSignal`.
 * @param options.isOptional whether a constructor is given `undefined` where no module provides it. @default false
 */
export function inject(token: Token, { isOptional = false }: { readonly isOptional?: boolean } = {}): Decorate {
  return (target, key, index) => {
    if (key === undefined) openDeclaration(target as AbstractClass).tokens.set(index, { token, isOptional })
    else openMember(target, key).params.set(index, { source: 'token', token })
  }
}
