/** What the methods of a listed class can say wrongly of themselves. */
import {
  type AbstractClass,
  type ClassDeclaration,
  findMethod,
  type Mark,
  type MemberDeclaration,
  type ParamDeclaration,
} from '../declare/metadata.js'
import type { Checks } from '../declare/options.js'
import { check, markProblems, show, wrongOptions } from '../declare/options.js'
import type { BodyOptions, ReadCookieOptions } from '../declare/params.js'
import { collect } from '../declare/problems.js'
import type { FileOptions, FilesOptions } from '../declare/uploads.js'
import { callbacks } from '../routing/table.js'
import { markedTwice, pathProblems } from './marks.js'
import { surroundingProblems } from './surroundings.js'

const files: Checks<FilesOptions> = {
  to: check.oneOf('file', 'memory', 'stream'),
  types: check.texts,
  maxSize: check.bytes,
  maxCount: check.count,
}
const { maxCount: _, ...one } = files
const file: Checks<FileOptions> = { ...one, optional: check.flag }
const body: Checks<BodyOptions> = { as: check.oneOf('json', 'form', 'text', 'raw'), limit: check.bytes }
const cookie: Checks<ReadCookieOptions> = { signed: check.flag }

const none: readonly never[] = Object.freeze([])

export function memberProblems(owner: AbstractClass, kind: Mark, { members }: ClassDeclaration): string[] {
  const handlers = new Map<string, string>()
  const problems: string[] = []
  members.forEach((said, member) => {
    const where = `${owner.name}.${member}`
    if (said.marks.length > 1) problems.push(markedTwice(where, said.marks))
    for (const mark of said.marks) {
      collect(problems, markProblems(where, mark))
      collect(problems, pathProblems(where, mark))
      collect(problems, misplacedMark(where, owner.name, kind, mark))
      collect(problems, takenEvent(where, mark, handlers))
    }
    if (!isPlain(said)) collect(problems, schemaProblems(where, said))
    collect(problems, surroundingProblems(where, said))
    collect(problems, calledProblems(where, member, owner, kind, said))
  })
  return problems
}

/** Whether there is neither a schema nor an option, as with most members of a large table. */
function isPlain({ marks, params }: MemberDeclaration): boolean {
  if (marks.some(({ schema }) => schema !== undefined)) return false
  if (params.size === 0) return true
  for (const { source, schema, options } of params.values())
    if (schema !== undefined || options !== undefined || source === 'file' || source === 'files') return false
  return true
}

function misplacedMark(where: string, name: string, kind: Mark, mark: Mark): readonly string[] {
  if (mark.as === 'on' && kind.as !== 'websocket')
    return [`${where}: ${mark.written} is for socket classes: mark ${name} @WebSocket('/path')`]
  if (mark.as === 'on' || kind.as === 'controller') return none
  return [
    `${where}: ${mark.written} is for controllers, and ${name} is marked ${kind.written}: move the method to a class marked @Controller`,
  ]
}

function takenEvent(where: string, mark: Mark, handlers: Map<string, string>): readonly string[] {
  if (mark.as !== 'on') return none
  const event = mark.path ?? ''
  const other = handlers.get(event)
  handlers.set(event, where)
  return other === undefined
    ? []
    : [`${where}: the event ${event} is handled by ${other} already: one event, one handler`]
}

function schemaProblems(where: string, said: MemberDeclaration): string[] {
  const given = [
    ...said.marks.map(mark => ({ schema: mark.schema, of: mark.written })),
    ...[...said.params.values()].map(param => ({ schema: param.schema, of: nameParam(param) })),
  ]
  const schemas = given.flatMap(({ schema, of }) => {
    const expected = schema === undefined ? undefined : check.schema(schema)
    return expected === undefined ? [] : [`${where}: ${of}: its schema should be ${expected}, not ${show(schema)}`]
  })
  const optioned = [...said.params.values()].filter(param => param.options !== undefined)
  const uploads = [...said.params.values()].flatMap(param => uploadProblems(where, param))
  return [...schemas, ...optioned.flatMap(param => paramProblems(where, param)), ...uploads]
}

function paramProblems(where: string, param: ParamDeclaration): string[] {
  if (param.source === 'body') return bodyProblems(where, param.options)
  if (param.source !== 'cookie') return []
  const { options } = param
  if (typeof options === 'object') return wrongOptions(`${where}: ${nameParam(param)}`, options, cookie)
  return [`${where}: ${nameParam(param)}: its schema should be ${check.schema(options)}, not ${show(options)}`]
}

function uploadProblems(where: string, param: ParamDeclaration): string[] {
  const { source, name, options = {} } = param
  if (source !== 'file' && source !== 'files') return []
  const nameless =
    source === 'file' && (typeof name !== 'string' || name === '')
      ? [`${where}: @File() needs the name of its field: write @File('name')`]
      : []
  return [...nameless, ...wrongOptions(`${where}: ${nameParam(param)}`, options, source === 'file' ? file : files)]
}

/** A class is a slip for the schema that it was hoped to be. */
function bodyProblems(where: string, options: unknown): string[] {
  if (typeof options === 'object') return wrongOptions(`${where}: @Body()`, options as object, body)
  return [`${where}: @Body(${show(options)}): its schema should be ${check.schema(options)}, not ${show(options)}`]
}

function nameParam({ source, name }: ParamDeclaration): string {
  return `@${source[0]?.toUpperCase()}${source.slice(1)}(${name === undefined ? '' : `'${name}'`})`
}

/** Decorated members that nothing calls, and decorators that the caller of a member does not heed. */
function calledProblems(
  where: string,
  member: string,
  owner: AbstractClass,
  kind: Mark,
  said: MemberDeclaration,
): readonly string[] {
  if (said.marks.length > 0 && said.status === undefined) return notAMethod(where, member, owner, said)
  if (said.marks.length > 0) return [...notAMethod(where, member, owner, said), ...statusProblems(where, said)]
  if (kind.as === 'controller') return [`${where} has decorators, but no route: mark it @Get, @Post, @Sse …`]
  const as = kind.as === 'sse' ? 'sse' : 'websocket'
  const names: readonly string[] = callbacks[as]
  if (!names.includes(member)) {
    const cure = as === 'sse' ? '' : `, or mark it @On('${member}')`
    return [`${where} has decorators, but nothing calls it: name it ${names.join(', ')}${cure}`]
  }
  if (member === 'open') return as === 'sse' ? statusProblems(where, said) : ignoredStatus(where, said)
  const surrounded = said.guards.length + said.interceptors.length + said.errorMappers.length > 0
  const cure = as === 'sse' ? 'put them on the class' : 'put them on the class, or on a method marked @On'
  const guarded = surrounded ? [`${where} runs without guards, interceptors and error mappers: ${cure}`] : []
  return [...guarded, ...ignoredStatus(where, said)]
}

function notAMethod(
  where: string,
  member: string,
  owner: AbstractClass,
  { marks }: MemberDeclaration,
): readonly string[] {
  if (findMethod(owner, member) !== undefined) return none
  return [`${where} is marked ${marks[0]?.written}, but is no method: write it ${member}(…) { … }, not as a property`]
}

function statusProblems(where: string, said: MemberDeclaration): string[] {
  const { status } = said
  if (status === undefined) return []
  if (said.marks.some(mark => mark.as === 'on')) return ignoredStatus(where, said)
  if (Number.isInteger(status) && status >= 200 && status <= 599) return []
  return [`${where}: @Status(${status}) is no status of a reply: give a whole number from 200 to 599`]
}

function ignoredStatus(where: string, { status }: MemberDeclaration): string[] {
  return status === undefined
    ? []
    : [`${where}: @Status(${status}) has no effect: only a reply to a request has a status`]
}
