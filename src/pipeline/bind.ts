/** Fills a handler's parameters: compiled once into one closure for each of them. */
import { type ParamDeclaration, type ParamSource, type Token } from '../declare/metadata.js'
import type { ReadCookieOptions } from '../declare/params.js'
import { collect } from '../declare/problems.js'
import { ValidationError } from '../errors.js'
import { asksForBody, bodyProblems } from './body-asks.js'
import { Context } from './context.js'
import { MessageContext } from './message-context.js'
import { type OpenBody, RequestContext } from './request-context.js'
import { isPromise, then } from './settle.js'
import { readInput } from './validate.js'

export type Arguments = unknown[]
/** Fills the parameters, and calls with them: at once, where nothing is to be waited for. @throws what cannot be filled, and what the call throws */
export type Bind = (context: Context, call: Call) => unknown

/** What is called with the parameters. */
type Call = (args: Arguments) => unknown

export interface Parameters {
  /** The handler as it is named in messages: `Users.show`. */
  readonly name: string
  /** How many parameters the function has, as far as its `length` tells. */
  readonly length: number
  readonly declared: ReadonlyMap<number, ParamDeclaration>
  /** The classes of the parameters, where the compiler emitted them. */
  readonly types: () => readonly unknown[] | undefined
  /** The sources that this kind of handler has, and the names that its path knows. */
  readonly sources: ReadonlySet<ParamSource>
  readonly pathNames: () => readonly string[]
  /** Classes whose instance is the exchange's connection. */
  readonly connections: readonly Token[]
  /** Whether the first parameter, when nothing else is said of it, is the connection. */
  readonly connectionFirst: boolean
  /** Compiles what opens the body, once, for the parameters that ask for parts of it. */
  readonly openBody: (asks: readonly ParamDeclaration[]) => (context: RequestContext) => OpenBody | Promise<OpenBody>
}

/** Reads one parameter: out of the body, once that is open, where it asks for a part of it. */
type Read = (context: Context, body?: OpenBody) => unknown

const none: Arguments = []
const right: readonly never[] = Object.freeze([])
const nothing = { bind: ((_context, call) => call(none)) as Bind, problems: right }

/** The closure that fills the parameters, and what is wrong with them. */
export function compileBind(parameters: Parameters): { readonly bind: Bind; readonly problems: readonly string[] } {
  if (parameters.length === 0 && parameters.declared.size === 0) return nothing
  const problems: string[] = []
  let count = parameters.length
  parameters.declared.forEach((_, index) => {
    count = Math.max(count, index + 1)
  })
  const reads: Read[] = []
  const asks = new Map<number, ParamDeclaration>()
  for (let index = 0; index < count; index++) {
    const declaration = parameters.declared.get(index)
    if (declaration !== undefined && asksForBody(declaration)) asks.set(index, declaration)
    const read =
      declaration === undefined ? byType(parameters, index) : byDeclaration(parameters, declaration, problems)
    if (declaration !== undefined) collect(problems, uncoerced(parameters, declaration, index))
    if (read === undefined) problems.push(unfillable(parameters, index))
    reads.push(read ?? (() => undefined))
  }
  if (asks.size > 0) problems.push(...bodyProblems(parameters.name, parameters.declared))
  const others = [...reads.keys()].filter(index => !asks.has(index))
  return { bind: asks.size === 0 ? bindAll(reads) : bindBody(parameters, reads, others, asks), problems }
}

/**
 * Runs every reader, and reports all that schemas refused at once. Any other failure (a body that cannot be read, a
 * parameter decorator that throws) stands for itself, and nothing more is read.
 */
function bindAll(reads: readonly Read[]): Bind {
  const all = [...reads.keys()]
  return (context, call) => {
    const filling = new Filling(reads, context, call)
    filling.read(all)
    return filling.end()
  }
}

/** The same, with the body last, which is opened when all else is read. The turn in which it is there is the handler's. */
function bindBody(
  { openBody }: Parameters,
  reads: readonly Read[],
  others: readonly number[],
  asks: ReadonlyMap<number, ParamDeclaration>,
): Bind {
  const open = openBody([...asks.values()])
  const parts = [...asks.keys()]
  return (context, call) => {
    const filling = new Filling(reads, context, call)
    if (!filling.read(others)) return filling.end()
    const goOn = (body: OpenBody) => {
      filling.read(parts, body)
      return filling.end()
    }
    const stop = (error: unknown) => {
      filling.fail(error)
      return filling.end()
    }
    let body: OpenBody | Promise<OpenBody>
    try {
      body = open(context as RequestContext)
    } catch (error) {
      return stop(error)
    }
    return body instanceof Promise ? body.then(goOn, stop) : goOn(body)
  }
}

/** The parameters of one call, on their way. */
class Filling {
  readonly #args: Arguments
  #failures: unknown[] | undefined
  #waits: Promise<void>[] | undefined

  constructor(
    private readonly reads: readonly Read[],
    private readonly context: Context,
    private readonly call: Call,
  ) {
    this.#args = new Array(reads.length)
  }

  /** Answers whether anything more is to be read. */
  read(order: readonly number[], body?: OpenBody): boolean {
    for (const index of order) {
      try {
        const value = this.reads[index]?.(this.context, body)
        if (isPromise(value)) this.#await(index, value)
        else this.#args[index] = value
      } catch (error) {
        this.fail(error)
        if (!(error instanceof ValidationError)) return false
      }
    }
    return true
  }

  fail(error: unknown): void {
    this.#failures ??= []
    this.#failures.push(error)
  }

  /** All was read: calls when it has come. */
  end(): unknown {
    return this.#waits === undefined ? this.#call() : Promise.all(this.#waits).then(() => this.#call())
  }

  #await(index: number, value: PromiseLike<unknown>): void {
    const wait = Promise.resolve(value).then(
      read => {
        this.#args[index] = read
      },
      error => this.fail(error),
    )
    this.#waits = [...(this.#waits ?? []), wait]
  }

  #call(): unknown {
    if (this.#failures === undefined) return this.call(this.#args)
    for (const failure of this.#failures) if (!(failure instanceof ValidationError)) throw failure
    throw new ValidationError((this.#failures as ValidationError[]).flatMap(({ issues }) => issues))
  }
}

function byDeclaration(parameters: Parameters, declaration: ParamDeclaration, problems: string[]): Read {
  const { source, schema, name } = declaration
  if (!parameters.sources.has(source)) problems.push(misplaced(parameters.name, source))
  if (source === 'token' && byToken(parameters, declaration.token) === undefined) {
    const token = typeof declaration.token === 'function' ? declaration.token.name : String(declaration.token)
    problems.push(
      `${parameters.name}: @inject(${token}) on a handler's parameter gives the context, the signal or the connection; ask for the rest in the constructor`,
    )
  }
  if (source === 'param' && name !== undefined && !parameters.pathNames().includes(name)) {
    const known =
      parameters
        .pathNames()
        .map(known => `:${known}`)
        .join(', ') || 'no parameters'
    problems.push(`${parameters.name}: @Param('${name}') names nothing in its path, which has ${known}`)
  }
  const raw = rawReader(parameters, declaration)
  if (schema === undefined) return raw
  return (context, body) => then(raw(context, body), value => readInput(schema, value, source, name))
}

function rawReader(parameters: Parameters, declaration: ParamDeclaration): Read {
  const { source, name, token } = declaration
  if (source === 'param') return name === undefined ? c => c.params : c => c.params[name]
  if (source === 'query') return name === undefined ? c => c.query : c => c.queryValue(name)
  if (source === 'header') return name === undefined ? c => c.headers : c => c.header(name)
  if (source === 'cookie') return cookieReader(declaration)
  if (source === 'data') return context => (context as MessageContext).data
  if (source === 'context') return context => context
  if (source === 'custom' || source === 'accepts') return declaration.read as Read
  if (source === 'token') return byToken(parameters, token) ?? (() => undefined)
  return (_context, body) => body?.give(declaration)
}

function cookieReader({ name, options }: ParamDeclaration): Read {
  if (name === undefined) return context => (context as RequestContext).cookies
  const { signed = false } = (options ?? {}) as ReadCookieOptions
  if (signed) return context => (context as RequestContext).signedCookie(name)
  return context => (context as RequestContext).cookies[name]
}

function byType(parameters: Parameters, index: number): Read | undefined {
  const read = byToken(parameters, parameters.types()?.[index])
  if (read !== undefined) return read
  if (index === 0 && parameters.connectionFirst) return context => context.connection
  return index >= parameters.length ? () => undefined : undefined
}

function byToken(parameters: Parameters, token: unknown): Read | undefined {
  if (token === Context || token === RequestContext || token === MessageContext) return context => context
  if (token === AbortSignal) return context => context.signal
  return parameters.connections.includes(token as Token) ? context => context.connection : undefined
}

function unfillable(parameters: Parameters, index: number): string {
  const types = parameters.types()
  const type = types?.[index]
  const cure = 'mark it @Param, @Query, @Header, @Body, @Data or @Ctx'
  const where = `${parameters.name}: nothing can fill parameter ${index}`
  if (types === undefined) {
    return `${where}, whose type is not known at run time: ${cure}, or @inject(Context), @inject(AbortSignal) or with its connection's class, or let the compiler emit types (emitDecoratorMetadata; it does so for decorated methods only)`
  }
  if (type === Function || type === Object || type === undefined)
    return `${where}, whose type is no class, or one behind "import type": ${cure}, or import its class as a value`
  return `${where} (${typeof type === 'function' ? type.name : 'unknown type'}): ${cure}, or give it the type Context, AbortSignal or its connection's class`
}

const WRITTEN = { param: '@Param', query: '@Query', header: '@Header' } as const
/** What a string is not, and what makes it so. */
const CURES = new Map<unknown, string>([
  [Number, 'a number: read it with a schema, such as int()'],
  [Boolean, 'a boolean: read it with a schema, such as boolean()'],
])

/** Nothing is converted without a schema, so a parameter of another type would be a string all the same. */
function uncoerced(
  parameters: Parameters,
  { source, schema, name: of }: ParamDeclaration,
  index: number,
): readonly string[] {
  if (schema !== undefined || of === undefined || !(source in WRITTEN)) return right
  const cure = CURES.get(parameters.types()?.[index])
  if (cure === undefined) return right
  return [
    `${parameters.name}: ${WRITTEN[source as keyof typeof WRITTEN]}('${of}') gives a string, but parameter ${index} is ${cure}`,
  ]
}

function misplaced(name: string, source: ParamSource): string {
  if (source === 'data') return `${name}: @Data is for @On handlers; here use @Body or @Query`
  if (source === 'file' || source === 'files')
    return `${name}: @${source === 'file' ? 'File' : 'Files'} on what has no body, as GET, HEAD, OPTIONS, handshakes and messages have none: use another method`
  if (source === 'body')
    return `${name}: @Body on what has no body, as GET, HEAD, OPTIONS, handshakes and messages have none: use @Query, on messages @Data, or another method`
  if (source === 'cookie' || source === 'accepts')
    return `${name}: @${source === 'cookie' ? 'Cookie' : 'Accepts'} on a message, which has no header fields: read it in open, or in a guard of the class that keeps it by context.set`
  return `${name}: @${source} does not exist here`
}
