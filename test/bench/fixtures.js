/** What all contestants answer with and are asked for: the same everywhere, so that only the frameworks differ. */
import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'

export const HOST = '127.0.0.1'

/** The body of `GET /json`. */
export const answer = () => ({ message: 'Hello, World!', items: [1, 2, 3], ok: true })

/** The schema of `POST /users`; loaded only where it is needed, as all else: a cold start loads nothing in vain. */
export async function userSchema() {
  const { z } = await import('zod')
  return z.object({
    name: z.string().min(1).max(100),
    email: z.email(),
    age: z.int().min(0),
    tags: z.array(z.string()).max(100),
    about: z.string(),
  })
}

const user = { name: 'Ada Lovelace', email: 'ada@example.com', age: 36, tags: ['analyst', 'poet', 'mathematician'] }

/** A body of `POST /users`: 1,024 bytes of JSON. */
export const userJson = JSON.stringify({
  ...user,
  about: 'x'.repeat(1024 - JSON.stringify({ ...user, about: '' }).length),
})

/** What `POST /users` answers. */
export const created = ({ name, tags }) => ({ id: 1, name, tags: tags.length })

/** Stands once in the data of every event, for the load to count. */
export const MARKER = '#marker#'

/** The data of an event, about as many bytes long. */
export function eventData(bytes) {
  const data = { n: 123_456, marker: MARKER, text: '' }
  return {
    ...data,
    text: randomBytes(bytes)
      .toString('hex')
      .slice(0, Math.max(0, bytes - JSON.stringify(data).length)),
  }
}

/** The rooms of the stream with this number: the one of all, and of the others each thousandth. */
export function roomsOf(stream, count) {
  const others = []
  for (let room = stream % 1000; room < count - 1; room += 1000) others.push(`room${room}`)
  return ['all', ...others]
}

/** How many events `/tokens` streams. */
export const TOKENS = 20

/** The source of `/tokens`: each token comes in a turn of its own, as from a model. */
export async function* tokens() {
  for (let index = 0; index < TOKENS; index++) {
    await turn()
    yield { token: `${MARKER}${index}` }
  }
}

/** The paths of `routes`: static ones and ones with a parameter, as `/area7/things8/:id`. */
export function* routePaths(count) {
  for (let index = 0; index < count; index++) {
    const path = `/area${Math.floor(index / 5)}/things${index}`
    yield index % 2 === 0 ? path : `${path}/:id`
  }
}

/** The same, in controllers of five. */
export function* controllerPaths(count) {
  for (let area = 0; area * 5 < count; area++) {
    const paths = []
    for (let index = area * 5; index < Math.min(count, area * 5 + 5); index++)
      paths.push(index % 2 === 0 ? `/things${index}` : `/things${index}/:id`)
    yield { prefix: `/area${area}`, paths }
  }
}

/** What they answer. */
export const routed = id => ({ id: id ?? 'none' })

/** A key and a certificate for this host. */
export async function certificate() {
  const { generate } = await import('selfsigned')
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], { keyType: 'ec' })
  return { key, cert }
}

/** Listens on a spare port of this host; answers the port. */
export function listen(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: 0, host: HOST, backlog: 4096 }, () => resolve(server.address().port))
  })
}
