/** Express 5; its event streams by better-sse, its uploads by multer. */

import { createServer } from 'node:http'
import express from 'express'
import { answer, controllerPaths, created, listen, routed, routePaths, tokens, userSchema } from '../fixtures.js'

export const packages = ['express', 'better-sse', 'multer', 'zod']

const serve = async app => ({ port: await listen(createServer(app)) })

export async function http() {
  const User = await userSchema()
  const app = express()
  app.get('/json', (_request, response) => response.json(answer()))
  app.get('/users/:user/posts/:post', (request, response) => {
    response.json({ ...request.params, limit: request.query.limit })
  })
  app.post('/users', express.json(), (request, response) => {
    const { success, data } = User.safeParse(request.body)
    if (success) response.json(created(data))
    else response.status(422).json({ status: 422 })
  })
  return serve(app)
}

export async function routes({ count }) {
  const app = express()
  for (const path of routePaths(count)) app.get(path, (request, response) => response.json(routed(request.params.id)))
  return serve(app)
}

export async function start({ count }) {
  const app = express()
  for (const { prefix, paths } of controllerPaths(count)) {
    const area = express.Router()
    for (const path of paths) area.get(path, (request, response) => response.json(routed(request.params.id)))
    app.use(prefix, area)
  }
  return serve(app)
}

export async function sse({ best = false, keepAlive }) {
  const app = express()
  const { createChannel, createSession } = await import('better-sse')
  const channel = createChannel()
  const options = { ...(best && { serializer: text => text }), ...(keepAlive && { keepAlive }) }
  app.get('/sse', async (request, response) => {
    channel.register(await createSession(request, response, options))
  })
  const send = data => {
    channel.broadcast(best ? JSON.stringify(data) : data, 'update')
  }
  return { ...(await serve(app)), send }
}

export async function generator() {
  const { createSession } = await import('better-sse')
  const app = express()
  app.get('/tokens', async (request, response) => {
    const session = await createSession(request, response)
    await session.iterate(tokens())
    response.end()
  })
  return serve(app)
}

/** By multer, counted as it comes. */
export async function upload() {
  const { default: multer } = await import('multer')
  const storage = {
    _handleFile(_request, file, done) {
      let size = 0
      file.stream.on('data', chunk => {
        size += chunk.length
      })
      file.stream.on('end', () => done(null, { size }))
    },
    _removeFile: (_request, _file, done) => done(null),
  }
  const app = express()
  app.post('/upload', multer({ storage }).single('file'), (request, response) =>
    response.json({ size: request.file.size }),
  )
  return serve(app)
}
