/** Rejects where a promise has not settled after `ms`. @param who whose answer is waited for */
export async function answerWithin<T>(promise: Promise<T>, ms: number, who: string): Promise<T> {
  if (ms === Number.POSITIVE_INFINITY) return promise
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer from ${who} in ${Math.ceil(ms)} ms`)), Math.max(0, ms))
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
