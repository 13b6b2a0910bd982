/** Milliseconds of the machine's monotonic clock, the same in all processes of one run. */
performance.now() // loaded when it is first used, which takes milliseconds
const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now()

export const now = () => performance.now() + offset
