import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Context, ContextKey, fromContext, type Guard, Injectable, unauthorized } from 'palomino'

/** Who somebody is, wherever they are connected. */
export interface Person {
  readonly id: string
  readonly name: string
}

/** Gives out tokens, and knows its own. They hold for as long as this process lives. */
@Injectable()
export class People {
  readonly #key = randomBytes(32)

  signIn(name: string): { readonly me: Person; readonly token: string } {
    const me = { id: randomBytes(6).toString('base64url'), name }
    const claim = Buffer.from(JSON.stringify(me)).toString('base64url')
    return { me, token: `${claim}.${this.#seal(claim).toString('base64url')}` }
  }

  who(token: string): Person | undefined {
    const [claim = '', seal = ''] = token.split('.')
    const given = Buffer.from(seal, 'base64url')
    const due = this.#seal(claim)
    if (given.length !== due.length || !timingSafeEqual(given, due)) return undefined
    return JSON.parse(Buffer.from(claim, 'base64url').toString()) as Person
  }

  #seal(claim: string): Buffer {
    return createHmac('sha256', this.#key).update(claim).digest()
  }
}

export const person = new ContextKey<Person>('person')

/** The parameter that is whoever sent the request. */
export const Me = fromContext(context => context.get(person))

/** Lets those with a token in: in `Authorization`, or in the query, since a browser's sockets and streams set no header. */
@Injectable()
export class SignedIn implements Guard {
  constructor(private readonly people: People) {}

  admit(context: Context) {
    const [, bearer] = context.header('authorization')?.match(/^Bearer (\S+)$/i) ?? []
    const token = bearer ?? context.query.token
    const who = typeof token === 'string' ? this.people.who(token) : undefined
    if (who === undefined) return unauthorized('sign in first', { headers: { 'WWW-Authenticate': 'Bearer' } })
    context.set(person, who)
    return true
  }
}
