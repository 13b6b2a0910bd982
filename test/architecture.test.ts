import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readSource, readSources, type SourceFile } from './support/source.js'

/** From the ground up: a file imports from its own room and from rooms below it. Rooms of one rank never see each other. */
const RANKS = [
  ['node-http.ts'],
  ['errors.ts', 'logger.ts'],
  ['declare/'],
  ['routing/'],
  ['wiring/'],
  ['pipeline/'],
  ['connections/'],
  ['http/', 'sse/', 'websocket/', 'logs/'],
  ['server/', 'describe/'],
  ['workers/'],
  ['options.ts', 'blueprint.ts'],
  ['registry-log.ts', 'exchanges.ts'],
  ['application.ts', 'publisher.ts'],
  ['processes.ts'],
  ['bootstrap.ts'],
  ['index.ts'],
  ['inspector/', 'testing/', 'client/'],
  ['cli.ts', 'one-chunk.ts'],
]

/** A package, or a use of it, that may be seen in one file only. */
const SOLE_IMPORTERS: Record<string, RegExp> = {
  'reflect-metadata': /^declare\/metadata\.ts$/,
  tsyringe: /^wiring\/container\.ts$/,
  ws: /^websocket\//,
  busboy: /^http\/multipart\.ts$/,
  cookie: /^pipeline\/cookies\.ts$/,
  negotiator: /^pipeline\/negotiate\.ts$/,
  redis: /^logs\/redis\.ts$/,
  '@nats-io/transport-node': /^logs\/nats-client\.ts$/,
  '@nats-io/jetstream': /^logs\/nats-client\.ts$/,
}

const LINES_PER_FILE = 300

const sources = readSources()

describe('architecture', () => {
  test('a room imports only from rooms below it', () => assert.deepEqual(climbs(sources), []))
  test('no import cycles, type-only imports included', () => assert.deepEqual(cycles(sources), []))
  test('a given package has one importer', () => assert.deepEqual(strayImporters(sources), []))
  test('metadata is read and written in one file', () =>
    assert.deepEqual(
      found(sources, /\bReflect\s*\.\s*\w*metadata\w*/i).filter(place => !place.startsWith('declare/metadata.ts:')),
      [],
    ))
  test(`no file is over ${LINES_PER_FILE} lines`, () => {
    const long = sources.map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    assert.deepEqual(
      long.filter(({ lines }) => lines > LINES_PER_FILE),
      [],
    )
  })
  test('no any', () => assert.deepEqual(found(sources, ANY), []))
  test('no silenced compiler, no TODO', () => {
    const texts = sources.map(source => ({ ...source, code: source.text }))
    assert.deepEqual(found(texts, /@ts-(ignore|nocheck)|\b(TODO|FIXME)\b/), [])
  })
  test('the door names what it exports', () => {
    const doors = sources.filter(({ path }) => path === 'index.ts')
    assert.deepEqual(found(doors, /export\s*\*/), [])
  })
})

describe('the architecture test itself', () => {
  test('sees a room that looks up, or at a sibling, or has no rank', () => {
    const files = [
      readSource('sse/serve.ts', "import '../http/reply.js'\nimport '../errors.js'\nimport './encode.js'"),
      readSource('declare/routes.ts', "import '../routing/table.js'"),
      readSource('helpers/misc.ts', ''),
    ]
    assert.deepEqual(climbs(files), [
      'sse/serve.ts imports http/reply.ts, of the same rank',
      'declare/routes.ts imports routing/table.ts, of a higher rank',
      'helpers/misc.ts has no rank: add its room to RANKS',
    ])
  })

  test('sees a cycle of type imports', () => {
    const files = [
      readSource('a.ts', "import type { B } from './b.js'"),
      readSource('b.ts', "export { C } from './c.js'"),
      readSource('c.ts', "type A = import('./a.js').A"),
    ]
    assert.deepEqual(cycles(files), ['a.ts → b.ts → c.ts → a.ts'])
  })

  test('sees a second importer', () => {
    const files = [
      readSource('websocket/socket.ts', "import { WebSocket } from 'ws'"),
      readSource('websocket/upgrade.ts', "import type { WebSocketServer } from 'ws'"),
      readSource('server/listener.ts', "import 'tsyringe'"),
    ]
    assert.deepEqual(strayImporters(files), [
      'tsyringe is imported by server/listener.ts',
      'ws is imported by websocket/socket.ts, websocket/upgrade.ts',
    ])
  })

  test('sees any as a type and nothing else', () => {
    const file = readSource(
      'a.ts',
      "let a: any\nlet b = AbortSignal.any([])\nlet c = x as any\nf<any>()\nlet d = 'any'",
    )
    assert.deepEqual(found([file], ANY), ['a.ts:1: any', 'a.ts:3: any', 'a.ts:4: any'])
  })
})

const ANY = /(?<![.\w$])any(?![\w$(])/

function roomOf(path: string) {
  const slash = path.indexOf('/')
  return slash === -1 ? path : path.slice(0, slash + 1)
}

function climbs(files: SourceFile[]): string[] {
  const rank = (path: string) => RANKS.findIndex(rooms => rooms.includes(roomOf(path)))
  return files.flatMap(({ path, imports }) => {
    if (rank(path) === -1) return [`${path} has no rank: add its room to RANKS`]
    return imports
      .filter(target => target.endsWith('.ts') && roomOf(target) !== roomOf(path) && rank(target) >= rank(path))
      .map(target => `${path} imports ${target}, of ${rank(target) === rank(path) ? 'the same' : 'a higher'} rank`)
  })
}

function cycles(files: SourceFile[]): string[] {
  const importsOf = new Map(files.map(({ path, imports }) => [path, imports]))
  const done = new Set<string>()
  const visit = (path: string, trail: string[]): string[] => {
    if (trail.includes(path)) return [[...trail.slice(trail.indexOf(path)), path].join(' → ')]
    if (done.has(path)) return []
    const inside = (importsOf.get(path) ?? []).flatMap(target => visit(target, [...trail, path]))
    done.add(path)
    return inside
  }
  return files.flatMap(({ path }) => visit(path, []))
}

function strayImporters(files: SourceFile[]): string[] {
  return Object.entries(SOLE_IMPORTERS).flatMap(([name, allowed]) => {
    const importers = files.filter(({ imports }) => imports.includes(name)).map(({ path }) => path)
    const fine = importers.length <= 1 && importers.every(path => allowed.test(path))
    return fine ? [] : [`${name} is imported by ${importers.join(', ')}`]
  })
}

function found(files: SourceFile[], pattern: RegExp): string[] {
  return files.flatMap(({ path, code }) =>
    code.split('\n').flatMap((line, index) => {
      const match = pattern.exec(line)
      return match === null ? [] : [`${path}:${index + 1}: ${match[0]}`]
    }),
  )
}
