import type { LogHealth } from '../connections/event-log.js'
import type { Logger } from '../logger.js'

/** Tells of a log's health as it changes, and once only. */
export class HealthNotes {
  #wasReady: boolean | undefined

  constructor(
    private readonly registry: string,
    private readonly logger: Logger,
    private readonly onHealth: ((registry: string, health: LogHealth) => void) | undefined,
  ) {}

  /** @param error why it changed, where that is better known than by `health` */
  note(health: LogHealth, error?: unknown): void {
    const isFirst = this.#wasReady === undefined
    if (this.#wasReady === health.ready || (isFirst && !health.ready)) return
    this.#wasReady = health.ready
    const { registry, logger } = this
    if (!health.ready) logger.warn(`the event log of the registry ${registry} is away`, error ?? health.error)
    else if (!isFirst) logger.info(`the event log of the registry ${registry} is back`)
    try {
      this.onHealth?.(registry, health)
    } catch (failure) {
      logger.error(`onHealth of the registry ${registry} failed`, failure)
    }
  }
}
