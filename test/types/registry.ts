/** What the compiler says of typed registries: each expected error is one that must stay. Compiled, never run. */
import { type Connection, ConnectionRegistry } from '../../src/index.js'

class Decks extends ConnectionRegistry<{ goto: { slide: number }; blank: null; note: string | null; any: unknown }> {}
class Anything extends ConnectionRegistry {}

export async function typed(decks: Decks, anything: Anything, connection: Connection): Promise<void> {
  await decks.to('a').send('goto', { slide: 1 })
  await decks.to(['a', 'b']).except(connection).volatile().send('blank')
  await decks.broadcast('blank', null)
  await decks.broadcast('note', 'text')
  await decks.broadcast('note')
  await decks.to('a').send('any', [1])
  await anything.to('a').send('whatever', { is: 'sent' })
  const id: string | undefined = await decks.broadcast('goto', { slide: 2 })
  await decks.join(connection, ['a', id ?? 'b'], { history: 10 })

  // @ts-expect-error an event that the registry does not carry
  await decks.to('a').send('gone', {})
  // @ts-expect-error data of another kind
  await decks.to('a').send('goto', { slide: 'one' })
  // @ts-expect-error data that is missing
  await decks.to('a').send('goto')
  // @ts-expect-error data where there is none
  await decks.broadcast('blank', 1)
  // @ts-expect-error a room is a string
  await decks.join(connection, 42)
  // @ts-expect-error an option that there is not
  await decks.join(connection, 'a', { last: 10 })
}
