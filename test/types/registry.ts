/** What the compiler says of typed registries: each expected error is one that must stay. Compiled, never run. */
import { type Connection, ConnectionRegistry, createPublisher, MemoryEventLog } from '../../src/index.js'

class Decks extends ConnectionRegistry<{ goto: { slide: number }; blank: null; note: string | null; any: unknown }> {}
class Lobby extends ConnectionRegistry<{ said: string }, { name: string }> {}
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

export async function tracked(lobby: Lobby, anything: Anything, connection: Connection): Promise<string[]> {
  await lobby.join(connection, 'a', { user: 'ada', meta: { name: 'Ada' }, watch: true })
  await anything.join(connection, 'a', { user: 'ada', meta: 1 })
  await lobby.tell({ user: 'ada' }, 1)
  await lobby.disconnect({ user: 'ada' }, { code: 4000 })
  const count: number = (await lobby.total('a')) + (await lobby.total())
  const publisher = await createPublisher(Lobby, new MemoryEventLog({ count, bytes: 1, age: 1 }))
  await publisher.to('a').send('said', 'hello')
  await publisher.disconnect({ user: 'ada' })

  // @ts-expect-error metadata of another kind
  await lobby.join(connection, 'a', { user: 'ada', meta: 1 })
  // @ts-expect-error a user is a string
  await lobby.join(connection, 'a', { user: 1 })
  return lobby.presence('a').flatMap(({ metas }) => metas.map(({ name }) => name))
}
