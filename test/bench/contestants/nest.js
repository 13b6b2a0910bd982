/** NestJS 12; on Express, or on Fastify with NEST=fastify. */
import 'reflect-metadata'
import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  Module,
  Param,
  Post,
  Query,
  Sse,
  UploadedFile,
  UseInterceptors,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { decorateClass, decorateMethod } from '../decorate.js'
import { answer, controllerPaths, created, HOST, routed, routePaths, tokens, userSchema } from '../fixtures.js'

export const packages = [
  '@nestjs/core',
  '@nestjs/platform-express',
  '@nestjs/platform-fastify',
  '@nestjs/platform-ws',
  'zod',
]

/** How the load speaks to `echo`. */
export const dialect = 'nest'

async function serve(controllers, providers = [], prepare = () => {}) {
  const AppModule = decorateClass(class {}, [Module({ controllers, providers })])
  const adapter =
    process.env.NEST === 'fastify' ? [new (await import('@nestjs/platform-fastify')).FastifyAdapter()] : []
  const app = await NestFactory.create(AppModule, ...adapter, { logger: ['error', 'warn'] })
  await prepare(app)
  await app.listen(0, HOST)
  return { app, port: app.getHttpServer().address().port }
}

async function useSockets(app) {
  const { WsAdapter } = await import('@nestjs/platform-ws')
  app.useWebSocketAdapter(new WsAdapter(app))
}

/** As the documentation of NestJS has it. */
class ZodValidationPipe {
  constructor(schema) {
    this.schema = schema
  }
  transform(value) {
    const { success, data } = this.schema.safeParse(value)
    if (success) return data
    throw new BadRequestException('Validation failed')
  }
}

export async function http() {
  const User = await userSchema()
  class Answers {
    json() {
      return answer()
    }
    post(user, post, limit) {
      return { user, post, limit }
    }
    create(user) {
      return created(user)
    }
  }
  decorateMethod(Answers, 'json', [Get('json')])
  decorateMethod(Answers, 'post', [Get('users/:user/posts/:post')], [Param('user'), Param('post'), Query('limit')])
  decorateMethod(Answers, 'create', [Post('users'), HttpCode(200)], [Body(new ZodValidationPipe(User))])
  return serve([decorateClass(Answers, [Controller()])])
}

export async function routes({ count }) {
  class Routes {}
  for (const path of routePaths(count)) route(Routes, path)
  return serve([decorateClass(Routes, [Controller()])])
}

export async function start({ count }) {
  return serve(
    [...controllerPaths(count)].map(({ prefix, paths }) => {
      const Area = { [`Area${prefix.slice(5)}`]: class {} }[`Area${prefix.slice(5)}`]
      for (const path of paths) route(Area, path)
      return decorateClass(Area, [Controller(prefix)])
    }),
  )
}

function route(target, path) {
  const hasParameter = path.endsWith(':id')
  target.prototype[path] = hasParameter ? id => routed(id) : () => routed()
  decorateMethod(target, path, [Get(path)], hasParameter ? [Param('id')] : [])
}

export async function sse({ best = false }) {
  const { Subject } = await import('rxjs')
  const updates = new Subject()
  class Stream {
    open() {
      return updates
    }
  }
  decorateMethod(Stream, 'open', [Sse('sse')])
  const { port } = await serve([decorateClass(Stream, [Controller()])])
  let id = 0
  const send = data => {
    updates.next({ id: `${++id}`, type: 'update', data: best ? JSON.stringify(data) : data })
  }
  return { port, send }
}

export async function generator() {
  const { from, map } = await import('rxjs')
  class Stream {
    tokens() {
      return from(tokens()).pipe(map(data => ({ data })))
    }
  }
  decorateMethod(Stream, 'tokens', [Sse('tokens')])
  return serve([decorateClass(Stream, [Controller()])])
}

export async function ws({ deflate = false }) {
  const { WebSocketGateway, WebSocketServer } = await import('@nestjs/websockets')
  class Updates {}
  WebSocketServer()(Updates.prototype, 'server')
  decorateClass(Updates, [WebSocketGateway({ path: '/ws', perMessageDeflate: deflate })])
  const { app, port } = await serve([], [Updates], useSockets)
  const { server } = app.get(Updates)
  const send = data => {
    const text = JSON.stringify({ event: 'update', data })
    for (const socket of server.clients) socket.send(text)
  }
  return { port, send }
}

export async function echo() {
  const { MessageBody, SubscribeMessage, WebSocketGateway } = await import('@nestjs/websockets')
  class Echo {
    echo(data) {
      return { event: 'echo', data }
    }
  }
  decorateMethod(Echo, 'echo', [SubscribeMessage('echo')], [MessageBody()])
  decorateClass(Echo, [WebSocketGateway({ path: '/ws' })])
  return serve([], [Echo], useSockets)
}

/** By multer, to memory: what the documentation shows. On Fastify it has none. */
export async function upload() {
  const { FileInterceptor } = await import('@nestjs/platform-express')
  class Uploads {
    take(file) {
      return { size: file.size }
    }
  }
  decorateMethod(Uploads, 'take', [Post('upload'), UseInterceptors(FileInterceptor('file'))], [UploadedFile()])
  return serve([decorateClass(Uploads, [Controller()])])
}
