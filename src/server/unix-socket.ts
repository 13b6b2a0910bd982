import { lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'

/**
 * A process that was killed leaves the file of its Unix socket behind, on which nobody can listen again. It is removed where
 * it is a socket, and nobody answers there; all else is left to `listen`, which says that the path is in use.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await inodeOf(path)
  if (found === undefined || (await isAnswered(path))) return
  // Somebody may have begun to listen meanwhile: then it is another file.
  if ((await inodeOf(path)) === found) await unlink(path).catch(() => {})
}

async function inodeOf(path: string): Promise<number | undefined> {
  const file = await lstat(path).catch(() => undefined)
  return file?.isSocket() === true ? file.ino : undefined
}

/** Only a refusal tells that nobody is there: who is too busy, or forbids it, is. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}
