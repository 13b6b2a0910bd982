/** Runs the contract on a log that breaks one promise: `node broken-logs-program.js PROMISE`. */
import {
  type EventLog,
  type LogListener,
  type LogMessage,
  type LogRetention,
  MemoryEventLog,
  type Notice,
  type Page,
  type Place,
} from '../../src/index.js'
import { testEventLog } from '../../src/testing/index.js'

type Class = new (retention: Required<LogRetention>) => EventLog

const broken: Record<string, Class> = {
  none: MemoryEventLog,
  twice: class extends MemoryEventLog {
    override start(listener: LogListener): Promise<void> {
      const entry: LogListener['entry'] = heard => {
        listener.entry(heard)
        listener.entry(heard)
      }
      return super.start({ entry, notice: notice => listener.notice(notice), reset: place => listener.reset(place) })
    }
  },
  silence: class extends MemoryEventLog {
    override async read(after: ReadonlyMap<string, number>, limit: number): Promise<Page> {
      return { ...(await super.read(after, limit)), gaps: new Map() }
    }
  },
  place: class extends MemoryEventLog {
    override async append(message: LogMessage, key?: string): Promise<Place> {
      const place = await super.append(message, key)
      return { ...place, position: place.position + 1 }
    }
  },
  pages: class extends MemoryEventLog {
    override async read(after: ReadonlyMap<string, number>, limit: number): Promise<Page> {
      const page = await super.read(after, limit)
      return { ...page, upTo: page.upTo + 1 }
    }
  },
  notices: class extends MemoryEventLog {
    override async notify(notice: Notice): Promise<void> {
      setImmediate(() => super.notify(notice))
    }
  },
  keys: class extends MemoryEventLog {
    override append(message: LogMessage): Promise<Place> {
      return super.append(message)
    }
  },
  stop: class extends MemoryEventLog {
    override async stop(): Promise<void> {}
  },
}

const Broken = broken[process.argv[2] ?? 'none'] ?? MemoryEventLog
testEventLog('a log', (_registry, retention) => new Broken(retention))
