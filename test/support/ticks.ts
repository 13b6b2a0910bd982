/** A registry of numbers, and what its peers hang on: an event source and a socket class, on one path. */
import { ConnectionRegistry, type EventStream, Registry, type Socket, Sse, WebSocket } from '../../src/index.js'

@Registry('ticks', { history: { count: 50_000, bytes: 100_000_000 } })
export class Ticks extends ConnectionRegistry<{ tick: number; said: string }> {}

@Sse('/ticks')
export class TickStream {
  constructor(private readonly ticks: Ticks) {}
  open(stream: EventStream) {
    return this.ticks.join(stream, 'all')
  }
}

@WebSocket('/ticks', { heartbeat: 0 })
export class TickSocket {
  constructor(private readonly ticks: Ticks) {}
  open(socket: Socket) {
    return this.ticks.join(socket, 'all')
  }
}
