import { randomUUID } from 'node:crypto'
import { createWriteStream, mkdirSync, rmSync, type WriteStream } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** What is there now: should the process end before it is removed, it is removed then. */
const present = new Set<string>()

function removeAll(): void {
  for (const path of present) rmSync(path, { force: true })
}

function arrive(path: string): void {
  if (present.size === 0) process.on('exit', removeAll)
  present.add(path)
}

function leave(path: string): void {
  present.delete(path)
  if (present.size === 0) process.off('exit', removeAll)
}

/** A file that only this process reads, under a name that nobody guesses, until it is removed or moved. */
export class TemporaryFile {
  readonly stream: WriteStream
  #path: string
  #moved = false

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    this.#path = join(resolve(directory), `palomino-${randomUUID()}`)
    this.stream = createWriteStream(this.#path, { flags: 'wx', mode: 0o600 })
    this.stream.once('open', () => arrive(this.#path))
  }

  get path(): string {
    return this.#path
  }

  /** Keeps it elsewhere, also on another file system; what was there is replaced, by a whole file. */
  async moveTo(path: string): Promise<void> {
    const from = this.#path
    try {
      await rename(from, path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
      await replace(path, beside => copyFile(from, beside))
      if (!this.#moved) await rm(from, { force: true })
    }
    if (!this.#moved) leave(from)
    this.#moved = true
    this.#path = resolve(path)
  }

  /** Closes and removes it, unless it was moved. */
  remove(): void {
    if (this.stream.closed) return void this.#remove()
    this.stream.once('close', () => this.#remove()).destroy()
  }

  #remove(): void {
    const path = this.#path
    if (this.#moved || !present.has(path)) return
    rm(path, { force: true }).then(
      () => leave(path),
      () => {}, // the end of the process tries again
    )
  }
}

/** Writes a stream to a path, where it is either whole or not at all. */
export function writeWhole(path: string, source: Readable): Promise<void> {
  return replace(path, beside => pipeline(source, createWriteStream(beside, { flags: 'wx', mode: 0o600 })))
}

async function replace(path: string, write: (beside: string) => Promise<unknown>): Promise<void> {
  const beside = `${path}.${randomUUID()}`
  try {
    await write(beside)
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}
