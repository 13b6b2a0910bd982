/** Runs until the compiler has seen enough: by operations, since a busy machine gets through few in a given time. */
const OPERATIONS = 15_000
/** Milliseconds of one run, and of all of them at the most. */
const RUN = 300
const MOST = 4000

export async function warmUp(load, name, each = 1) {
  const began = performance.now()
  let done = 0
  while (done < OPERATIONS && performance.now() - began < MOST) {
    const { operations } = await load.ask('run', { name, milliseconds: RUN })
    done += operations * each
  }
}
