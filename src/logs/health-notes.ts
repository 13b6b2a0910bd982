import type { LogHealth } from '../connections/event-log.js'
import type { Logger } from '../logger.js'
import { attempt } from '../pipeline/settle.js'

/** Told when the log of a registry is away, and when it is back. What it throws, or rejects with, is logged. */
export type OnHealth = (registry: string, health: LogHealth) => void

/** Tells of a log's health as it changes, and once only. */
export class HealthNotes {
  #wasReady: boolean | undefined

  constructor(
    private readonly registry: string,
    private readonly logger: Logger,
    private readonly onHealth: OnHealth | undefined,
  ) {}

  /** @param error why it changed, where that is better known than by `health` */
  note(health: LogHealth, error?: unknown): void {
    const isFirst = this.#wasReady === undefined
    if (this.#wasReady === health.ready || (isFirst && !health.ready)) return
    this.#wasReady = health.ready
    const { registry, logger } = this
    if (!health.ready) logger.warn(`the event log of the registry ${registry} is away`, error ?? health.error)
    else if (!isFirst) logger.info(`the event log of the registry ${registry} is back`)
    attempt(
      () => this.onHealth?.(registry, health),
      failure => logger.error(`onHealth of the registry ${registry} failed`, failure),
    )
  }
}
