import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'

/** When the files of a folder were changed last: long ago, so that their tags are strong ones. */
export const LONG_AGO = new Date('2024-05-06T07:08:09Z')

/** A folder with these files, for all tests of a file. Links in its own path are resolved. */
export function folderOf(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'palomino-'))
  for (const [path, content] of Object.entries(files)) writeOld(join(folder, path), content)
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function writeOld(path: string, content: string | Buffer, when = LONG_AGO): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  utimesSync(path, when, when)
}

/** The entity tag of a file of so many bytes that was changed `LONG_AGO`. */
export function tagOf(size: number): string {
  return `"${size.toString(16)}-${(BigInt(LONG_AGO.getTime()) * 1_000_000n).toString(16)}"`
}

/** How many descriptors of this process are open on a file. */
export function descriptorsOf(path: string): number {
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path
    } catch {
      return false
    }
  }).length
}
