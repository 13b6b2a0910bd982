#!/usr/bin/env node
import cluster from 'node:cluster'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { readDeclaration } from './declare/metadata.js'
import { type AbstractClass, ConfigurationError, describeRoute, formatRoutes, readRoutes } from './index.js'

const USAGE = `palomino routes <module> [--export Name] [--json]

Prints the route table of a module: the compiled file that exports a class marked @Module.
  --export Name   which export it is, where the file has several
  --json          as JSON`

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  const [command, file] = positionals
  if (values.help === true) return void console.log(USAGE)
  if (command !== 'routes' || file === undefined) throw new UsageError(USAGE)
  const routes = readRoutes(await loadModule(file, values.export))
  console.log(values.json === true ? JSON.stringify(routes.map(describeRoute), undefined, 2) : formatRoutes(routes))
}

class UsageError extends Error {}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean' }, export: { type: 'string' }, help: { type: 'boolean' } },
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
