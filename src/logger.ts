/** Where the framework says what it noticed. Any logger with these methods fits: `console`, pino, winston. */
export interface Logger {
  /** What helps to find out. Not told by the default logger. */
  debug(message: string, details?: unknown): void
  /** What is good to know. Not told by the default logger. */
  info(message: string, details?: unknown): void
  /** What works, but not for long. */
  warn(message: string, details?: unknown): void
  /** What failed; the error is in the details. */
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

/**
 * A logger that never throws: an application's own that does would end what was about to be told, or what comes behind
 * it. What it could not say goes to standard error, with why.
 */
export function unfailing(logger: Logger): Logger {
  const at =
    (level: keyof Logger) =>
    (message: string, ...details: [unknown?]) => {
      try {
        logger[level](message, ...details)
      } catch (error) {
        defaultLogger.error(message, ...details)
        defaultLogger.error('the logger failed', error)
      }
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** How an exchange is spoken of in logs: what handles it, and its id where it has one. */
export function nameExchange(
  { name }: { readonly name: string },
  { id }: { readonly id?: string | undefined },
): string {
  return id === undefined ? name : `${name} (${id})`
}
