/** Where the framework says what it noticed. Any logger with these methods fits: `console`, pino, winston. */
export interface Logger {
  debug(message: string, details?: unknown): void
  info(message: string, details?: unknown): void
  warn(message: string, details?: unknown): void
  error(message: string, details?: unknown): void
}

const silent = () => {}

/** Warnings and errors to standard error, the rest nowhere. */
export const defaultLogger: Logger = {
  debug: silent,
  info: silent,
  warn: (message, details) => (details === undefined ? console.warn(message) : console.warn(message, details)),
  error: (message, details) => (details === undefined ? console.error(message) : console.error(message, details)),
}

/** How an exchange is spoken of in logs: what handles it, and its id where it has one. */
export function nameExchange(
  { name }: { readonly name: string },
  { id }: { readonly id?: string | undefined },
): string {
  return id === undefined ? name : `${name} (${id})`
}
