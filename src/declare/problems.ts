/**
 * Adds what was found. Nearly always that is nothing, and for each of a thousand routes: to spread nothing into a call is
 * so much code that it is compiled for speed while it runs, and that takes longer than all checks.
 */
export function collect(problems: string[], found: readonly string[]): void {
  if (found.length > 0) problems.push(...found)
}
