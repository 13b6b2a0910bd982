import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import {
  ConnectionRegistry,
  Controller,
  EventStream,
  File,
  Get,
  Guard,
  Injectable,
  int,
  Module,
  optional,
  Param,
  Post,
  Query,
  Registry,
  RequestContext,
  Sse,
  Upload,
} from 'palomino'
import { page } from '../assets.js'

const MEBIBYTE = 1_048_576

interface Sent {
  readonly name: string
  readonly type: string
  readonly size: number
  readonly sha256: string
}

/** Who watches a transfer, in whichever tab. Progress is for those who are there; how it ended is remembered. */
@Registry('transfers', { history: { count: 1, age: 600_000 } })
class Transfers extends ConnectionRegistry<{
  progress: { received: number; total: number | undefined }
  done: Sent
  failed: { reason: string }
}> {}

@Sse('/transfers/:id/events', { retry: 1000 })
class Watch {
  constructor(private readonly transfers: Transfers) {}

  async open(stream: EventStream, @Param('id') id: string) {
    await this.transfers.join(stream, id, { history: 1 })
  }
}

/** Guards run before the body is read, so here is where its progress is asked for: ten times a second is enough. */
@Injectable()
class Followed {
  constructor(private readonly transfers: Transfers) {}

  admit(context: RequestContext) {
    const watchers = this.transfers.to(context.params.id ?? '').volatile()
    let last = 0
    context.onProgress(({ received, total }) => {
      if (performance.now() - last < 100 && received !== total) return
      last = performance.now()
      void watchers.send('progress', { received, total })
    })
    return true
  }
}

@Controller('/')
class Files {
  constructor(private readonly transfers: Transfers) {}

  @Get('/')
  index(context: RequestContext) {
    return page(context, 'upload/page.html')
  }

  /** The file comes as it is sent, and is kept nowhere. Who reads slowly is sent slowly: that is backpressure. */
  @Post('/transfers/:id', { uploads: { fileSize: 2048 * MEBIBYTE, totalSize: 2049 * MEBIBYTE } })
  @Guard(Followed)
  async take(
    @Param('id') id: string,
    @Query('pace', optional(int({ min: 1, max: 1024 }))) pace: number | undefined,
    @File('file', { to: 'stream' }) file: Upload,
  ) {
    const watchers = this.transfers.to(id)
    try {
      const sent = await digest(file, pace)
      await watchers.send('done', sent)
      return sent
    } catch (error) {
      await watchers.send('failed', { reason: (error as Error).message })
      throw error
    }
  }
}

/** @param pace mebibytes a second that are read at the most */
async function digest(file: Upload, pace = Number.POSITIVE_INFINITY): Promise<Sent> {
  const hash = createHash('sha256')
  const began = performance.now()
  for await (const chunk of file) {
    hash.update(chunk)
    const early = (file.size / (pace * MEBIBYTE)) * 1000 - (performance.now() - began)
    if (early > 10) await pause(early)
  }
  return {
    name: file.filename ?? 'a file without a name',
    type: file.type,
    size: file.size,
    sha256: hash.digest('hex'),
  }
}

@Module({ controllers: [Files, Watch], providers: [Transfers] })
export class Uploading {}
