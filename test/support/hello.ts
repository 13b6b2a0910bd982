/** An event source and a socket class of the fewest words, for tests of what is around them. */
import { Sse, WebSocket } from '../../src/index.js'

@Sse('/events')
export class Events {
  open() {
    return 'hello'
  }
}

@WebSocket('/echo')
export class Echo {
  message(frame: string | Buffer) {
    return frame
  }
}
