import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify, stripVTControlCharacters } from 'node:util'

/** Where a program of this name is, on the PATH. */
function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
  return folders.map(folder => join(folder, name)).find(path => existsSync(path))
}

/** Runs a program to its end, and answers what it said. */
export type Run = (args: readonly string[]) => Promise<string>

/** A test with a program that measures or attacks servers, or a skipped one where it is not installed. */
export function programTest(
  program: string,
  debianPackage: string,
  name: string,
  fn: (t: TestContext, run: Run) => Promise<void>,
): void {
  const path = findProgram(program)
  const skip = path === undefined && `no ${program} found: apt-get install ${debianPackage}`
  const run: Run = async args => {
    const { stdout } = await promisify(execFile)(path ?? '', [...args], { timeout: 60_000 })
    return stripVTControlCharacters(stdout)
  }
  test(name, { skip, timeout: 90_000 }, t => fn(t, run))
}
