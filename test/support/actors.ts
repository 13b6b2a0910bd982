import { type CloseReason, Connection, EventStream, Injectable, Socket } from '../../src/index.js'
import { eventually } from './eventually.js'

/** What the handlers of one connection do, besides being noted. */
export interface Script {
  readonly open?: (actor: Actor) => unknown
  readonly info?: (message: unknown, actor: Actor) => unknown
  readonly message?: (frame: string | Buffer, actor: Actor) => unknown
  readonly close?: (reason: CloseReason, actor: Actor) => unknown
}

/** Where tests leave scripts for the connections they are about to open, and find those that are open. */
@Injectable()
export class Stage {
  readonly scripts = new Map<string, Script>()
  readonly #actors = new Map<string, Actor>()

  enter(actor: Actor): void {
    this.#actors.set(actor.name, actor)
  }

  /** All that ever entered. */
  get actors(): Actor[] {
    return [...this.#actors.values()]
  }

  /** The connection that was opened at `…/name`. */
  actor(name: string): Promise<Actor> {
    return eventually(`the connection ${name}`, () => this.#actors.get(name))
  }
}

/** A connection whose handlers do what a script says. Its path ends in `/:name`. */
export abstract class Actor {
  readonly heard: unknown[] = []
  readonly reasons: CloseReason[] = []

  constructor(
    readonly stage: Stage,
    readonly connection: Connection,
  ) {
    stage.enter(this)
  }

  get name(): string {
    return this.connection.params.name ?? ''
  }

  get script(): Script {
    return this.stage.scripts.get(this.name) ?? {}
  }

  open(): unknown {
    return this.script.open?.(this)
  }

  info(message: unknown): unknown {
    this.heard.push(message)
    return this.script.info?.(message, this)
  }

  close(reason: CloseReason): unknown {
    this.reasons.push(reason)
    return this.script.close?.(reason, this)
  }

  /** The reason that `close` was called with, the one time it was. */
  async ended(timeout = 8000): Promise<CloseReason> {
    await eventually(`the end of ${this.name}`, () => this.reasons.length > 0, { timeout })
    if (this.reasons.length > 1) throw new Error(`${this.name} was closed ${this.reasons.length} times`)
    return this.reasons[0] as CloseReason
  }
}

@Injectable()
export class StreamActor extends Actor {
  constructor(
    stage: Stage,
    readonly stream: EventStream,
  ) {
    super(stage, stream)
  }
}

@Injectable()
export class SocketActor extends Actor {
  constructor(
    stage: Stage,
    readonly socket: Socket,
  ) {
    super(stage, socket)
  }

  message(frame: string | Buffer): unknown {
    this.heard.push(frame)
    return this.script.message?.(frame, this)
  }
}
