/** Event sources whose streams are compressed, over HTTP/1.1 and over HTTP/2. */
import { type CloseReason, ConnectionRegistry, EventStream, Registry, Sse } from '../../src/index.js'

/** What came of them. */
export const seen = { reasons: [] as CloseReason['kind'][], produced: 0, finished: 0 }

/** 8 KiB that do not compress well. */
const noise = () => Array.from({ length: 800 }, () => Math.random().toString(36).slice(2, 12)).join('')

@Registry('news')
export class News extends ConnectionRegistry<{ headline: string }> {}

@Sse('/news', { compression: true })
export class Reader {
  constructor(private readonly news: News) {}
  async open(stream: EventStream) {
    await this.news.join(stream, 'all')
  }
  close(reason: CloseReason) {
    seen.reasons.push(reason.kind)
  }
}

@Sse('/fails', { compression: true })
export class Fails {
  open(stream: EventStream) {
    stream.after(1, 'fail')
    return 'first'
  }
  info() {
    throw new Error('no')
  }
}

@Sse('/generated', { compression: true })
export class Generated {
  async *open() {
    try {
      for (;;) {
        seen.produced++
        yield noise()
      }
    } finally {
      seen.finished++
    }
  }
}

@Sse('/pushed', { compression: true, sendLimit: 1_048_576 })
export class Pushed {
  open(stream: EventStream) {
    stream.every(1, 'push')
  }
  info(_message: 'push', stream: EventStream) {
    for (let n = 0; n < 100; n++) void stream.send(noise())
  }
  close(reason: CloseReason) {
    seen.reasons.push(reason.kind)
  }
}
