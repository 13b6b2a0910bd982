#!/usr/bin/env node
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
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean' }, export: { type: 'string' }, help: { type: 'boolean' } },
  })
  const [command, file] = positionals
  if (values.help === true || command !== 'routes' || file === undefined) {
    console.log(USAGE)
    if (values.help !== true) process.exitCode = 2
    return
  }
  const routes = readRoutes(await loadModule(file, values.export))
  console.log(values.json === true ? JSON.stringify(routes.map(describeRoute), undefined, 2) : formatRoutes(routes))
}

async function loadModule(file: string, name: string | undefined): Promise<AbstractClass> {
  const exports = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>
  const modules = Object.entries(exports).filter(([, value]) => isModule(value))
  const found = name === undefined ? modules : modules.filter(([key]) => key === name)
  const [only] = found
  if (only !== undefined && found.length === 1) return only[1] as AbstractClass
  const names = modules.map(([key]) => key).join(', ')
  if (modules.length === 0) throw new ConfigurationError([`${file} exports no class marked @Module`])
  throw new ConfigurationError([`${file} exports the modules ${names}: choose one with --export`])
}

function isModule(value: unknown): boolean {
  return typeof value === 'function' && readDeclaration(value as AbstractClass).marks.some(mark => mark.as === 'module')
}

main().catch((error: unknown) => {
  console.error(error instanceof ConfigurationError ? `ConfigurationError: ${error.message}` : error)
  process.exitCode = 1
})
