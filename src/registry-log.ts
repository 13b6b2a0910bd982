import { registryMark } from './blueprint.js'
import type { EventLog, OpenEventLog } from './connections/event-log.js'
import { defaultRetention } from './connections/registry-setup.js'
import type { AbstractClass } from './declare/metadata.js'
import { withDefaults } from './declare/options.js'
import type { PresenceOptions, RegistryOptions } from './declare/registry.js'
import type { Logger } from './logger.js'

/** A registry's log, and how it is used. */
export interface RegistryLog {
  readonly name: string
  /** Whether what is sent is kept. */
  readonly history: boolean
  readonly log: EventLog
  readonly presence: PresenceOptions | undefined
}

/** Opens the log of a registry as its class is marked. */
export async function openRegistryLog(owner: AbstractClass, open: OpenEventLog, logger: Logger): Promise<RegistryLog> {
  const mark = registryMark(owner)
  const name = mark?.path ?? owner.name
  const { history, presence } = (mark?.options ?? {}) as RegistryOptions
  const asked = typeof history === 'number' ? { count: history } : typeof history === 'object' ? history : {}
  const log = await open(name, withDefaults(defaultRetention, asked), logger)
  return { name, history: history !== false && history !== 0, log, presence }
}
