import {
  Body,
  Controller,
  File,
  type FileOptions,
  Files,
  Get,
  On,
  Post,
  Sse,
  type UploadOptions,
  WebSocket,
} from '../../src/index.js'
import { testBootErrors } from '../support/boot-errors.js'

const unknown = (options: object) => options as FileOptions & UploadOptions
const noBody = 'on what has no body, as GET, HEAD, OPTIONS, handshakes and messages have none: use another method'

testBootErrors('an upload', {
  'is asked for where there is a body': {
    module: () => {
      @Controller('/a')
      class A {
        @Get() get(@File('x') _: unknown) {}
        @Sse('/b') stream(@Files() _: unknown) {}
      }
      @WebSocket('/c')
      class C {
        @On('x') x(@File('x') _: unknown) {}
      }
      return [A, C]
    },
    problems: [`A.get: @File ${noBody}`, `A.stream: @Files ${noBody}`, `C.x: @File ${noBody}`],
  },
  'has a name': {
    module: () => {
      @Controller('/a')
      class A {
        @Post() post(@File('') _: unknown) {}
        @Post('/b') b(@File(undefined as never) _: unknown) {}
      }
      return [A]
    },
    problems: ['A.post', 'A.b'].map(where => `${where}: @File() needs the name of its field: write @File('name')`),
  },
  'is taken by one parameter': {
    module: () => {
      @Controller('/a')
      class A {
        @Post() post(@File('x') _: unknown, @Files('x') __: unknown) {}
        @Post('/b') b(@Files() _: unknown, @Files({ maxCount: 2 }) __: unknown) {}
        @Post('/c') c(@Files() _: unknown, @Files('x') __: unknown, @File('y') ___: unknown, @Body() ____: unknown) {}
      }
      return [A]
    },
    problems: [
      "A.post: @Files('x') is there twice: one name, one parameter",
      'A.b: @Files() is there twice: one name, one parameter',
    ],
  },
  'goes to the handler as it comes by itself': {
    module: () => {
      @Controller('/a')
      class A {
        @Post() post(@File('x') _: unknown, @Files('y', { to: 'stream' }) __: unknown) {}
      }
      return [A]
    },
    problems: [
      "A.post: with to: 'stream' the handler is called before the other files are there: take all by one @Files({ to: 'stream' })",
    ],
  },
  'is in a form, not in bytes or text': {
    module: () => {
      @Controller('/a')
      class A {
        @Post() post(@File('x') _: unknown, @Body({ as: 'raw' }) __: unknown) {}
      }
      return [A]
    },
    problems: ["A.post: @Body({ as: 'raw' }) takes the whole body, and leaves nothing for @File('x'): drop 'as'"],
  },
  'has options that are known': {
    module: () => {
      @Controller('/a')
      class A {
        @Post() post(@File('x', unknown({ tpyes: [], to: 'disk', maxSize: 0, optional: 1 })) _: unknown) {}
        @Post('/b') b(@Files('x', unknown({ optional: true, maxCount: 1.5, types: 'image/png' })) _: unknown) {}
        @Post('/c', { uploads: unknown({ fileSise: 1, headerSize: 20_000, files: 0, directory: 1 }) }) c() {}
        @Post('/d', { uploads: 7 as never }) d() {}
      }
      return [A]
    },
    options: { uploads: { totalSize: -1, ...unknown({ filesSize: 1 }) } },
    problems: [
      'bootstrap: uploads has no option filesSize: did you mean fileSize?',
      'bootstrap: uploads: totalSize should be a number of bytes, above 0, not -1',
      "A.post: @File('x') has no option tpyes: did you mean types?",
      "A.post: @File('x'): to should be 'file' or 'memory' or 'stream', not 'disk'",
      "A.post: @File('x'): maxSize should be a number of bytes, above 0, not 0",
      "A.post: @File('x'): optional should be true or false, not 1",
      "A.b: @Files('x') has no option optional: it knows to, types, maxSize, maxCount",
      "A.b: @Files('x'): maxCount should be a whole number, above 0, not 1.5",
      "A.b: @Files('x'): types should be an array of strings, not 'image/png'",
      "A.c: @Post('/c'): uploads has no option fileSise: did you mean fileSize?",
      "A.c: @Post('/c'): uploads: headerSize should be a number of bytes, from 1 to 16384, not 20000",
      "A.c: @Post('/c'): uploads: files should be a whole number, above 0, not 0",
      "A.c: @Post('/c'): uploads: directory should be a string, not 1",
      "A.d: @Post('/d'): uploads should be an object of options, not 7",
    ],
  },
})
