/** What a worker that was started by a primary is told of the address that all of them share, in its environment. */

const { PALOMINO_WORKER: told } = process.env
// It is for this process alone, not for those that it starts.
delete process.env.PALOMINO_WORKER

/** Whether this process shares its addresses with others, so that nothing there is its own to tidy up. */
export const isShared = told !== undefined

/** The port where the others listened: what a spare one is for this worker. */
export const sharedPort = Number(told ?? 0)

/** The environment of a worker. */
export function sharing(port = 0): { readonly PALOMINO_WORKER: string } {
  return { PALOMINO_WORKER: String(port) }
}
