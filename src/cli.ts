#!/usr/bin/env node
import cluster from 'node:cluster'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { readDeclaration } from './declare/metadata.js'
import type { DocumentInfo } from './describe/index.js'
import { type AbstractClass, ConfigurationError, describeRoute, formatRoutes, type Route, readRoutes } from './index.js'

const USAGE = `palomino routes <module> [--export Name] [--json]
palomino openapi <module> [--export Name] [--title Title] [--api-version 1.0.0] [--openapi 3.2]
palomino asyncapi <module> [--export Name] [--title Title] [--api-version 1.0.0]

Prints the route table of a module, as a table or as a document: <module> is the compiled file that exports a class
marked @Module.
  --export Name   which export it is, where the file has several
  --json          the table as JSON
  --title         what the document is about; else the name in package.json
  --api-version   the version of the API; else the version in package.json
  --openapi       the version of the specification, 3.1 or 3.2; else 3.1`

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  const [command = '', file] = positionals
  if (values.help === true) return void console.log(USAGE)
  const tell = Object.hasOwn(COMMANDS, command) ? COMMANDS[command as keyof typeof COMMANDS] : undefined
  if (tell === undefined || file === undefined) throw new UsageError(USAGE)
  console.log(await tell(readRoutes(await loadModule(file, values.export)), values))
}

type Values = ReturnType<typeof readArguments>['values']

/** What is printed of a route table. */
const COMMANDS = {
  routes: (routes: readonly Route[], { json = false }: Values) =>
    json ? asJson(routes.map(describeRoute)) : formatRoutes(routes),
  async openapi(routes: readonly Route[], values: Values) {
    const { openapi } = await import('palomino/describe')
    const version = values.openapi ?? '3.1'
    if (version !== '3.1' && version !== '3.2') throw new UsageError(`--openapi is 3.1 or 3.2\n\n${USAGE}`)
    return asJson(openapi(routes, readInfo(values), { openapi: version }))
  },
  async asyncapi(routes: readonly Route[], values: Values) {
    const { asyncapi } = await import('palomino/describe')
    return asJson(asyncapi(routes, readInfo(values)))
  },
} as const

function asJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
}

/** What a document is about: as it is told, or as the package of this folder says. */
function readInfo({ title, 'api-version': version }: Values): DocumentInfo {
  const text = existsSync('package.json') ? readFileSync('package.json', 'utf8') : '{}'
  const own = JSON.parse(text) as { readonly name?: string; readonly version?: string }
  return { title: title ?? own.name ?? 'API', version: version ?? own.version ?? '0.0.0' }
}

class UsageError extends Error {}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        export: { type: 'string' },
        title: { type: 'string' },
        'api-version': { type: 'string' },
        openapi: { type: 'string' },
        help: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${USAGE}`)
  }
}

async function loadModule(file: string, name: string | undefined): Promise<AbstractClass> {
  const path = resolve(file)
  if (!existsSync(path)) throw new ConfigurationError([`there is no file ${file}: build it first`])
  const exports = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  const modules = new Map(Object.entries(exports).filter(([, value]) => isModule(value)))
  const names = [...modules.keys()].join(', ')
  if (modules.size === 0)
    throw new ConfigurationError([
      `${file} exports no class marked @Module: export it, from a file that does not call bootstrap`,
    ])
  if (name === undefined && modules.size > 1)
    throw new ConfigurationError([`${file} exports the modules ${names}: choose one with --export`])
  const found = name === undefined ? [...modules.values()][0] : modules.get(name)
  if (found === undefined) throw new ConfigurationError([`${file} exports no module ${name}, but ${names}`])
  return found as AbstractClass
}

function isModule(value: unknown): boolean {
  return typeof value === 'function' && readDeclaration(value as AbstractClass).marks.some(mark => mark.as === 'module')
}

/** The file may have started something, a server even, which would keep this process alive. */
function exit(code: number): void {
  process.stdout.write('', () => process.exit(code))
}

/** A file that has workers runs once more in each of them; the table is the primary's to print. */
function work(): Promise<unknown> {
  const { positionals } = readArguments()
  return import(pathToFileURL(resolve(positionals[1] ?? '')).href)
}

if (cluster.isWorker) await work()
else
  main().then(
    () => exit(0),
    (error: unknown) => {
      if (error instanceof UsageError) console.error(error.message)
      else console.error(error instanceof ConfigurationError ? `ConfigurationError: ${error.message}` : error)
      exit(error instanceof UsageError ? 2 : 1)
    },
  )
