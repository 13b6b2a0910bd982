/** fast-check with one seed for all runs, so that a run says the same twice; `SEED=random` looks further. */
import fc from 'fast-check'

const { SEED = '2026' } = process.env
if (SEED !== 'random') fc.configureGlobal({ seed: Number(SEED) })

export { fc }
