import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AbstractClass, Controller, Get, Module, readRoutes } from '../../src/index.js'

@Controller('/list')
class Things {
  @Get('/')
  show() {
    return []
  }
}

const paths = (module: AbstractClass) => readRoutes(module).map(route => route.pattern)

test('whoever imports a module says where it stands, in front of its own prefix and behind theirs', () => {
  @Module({ controllers: [Things], prefix: '/things' })
  class Inner {}
  @Module({ imports: [{ module: Inner, prefix: '/shop' }], prefix: '/v1' })
  class Outer {}
  assert.deepEqual(paths(Outer), ['/v1/shop/things/list'])
})

test('a module under two prefixes is one too many, and a slip in an import is found at boot', () => {
  @Module({ controllers: [Things] })
  class Inner {}
  @Module({
    imports: [
      { module: Inner, prefix: '/a' },
      { module: Inner, prefix: '/b' },
    ],
  })
  class Twice {}
  assert.throws(() => readRoutes(Twice), {
    name: 'ConfigurationError',
    message: 'Inner is imported under two prefixes, /a and /b: import it once',
  })
  @Module({ imports: [{ module: Inner, prefx: '/a' } as { module: typeof Inner }] })
  class Slip {}
  assert.throws(() => readRoutes(Slip), {
    name: 'ConfigurationError',
    message: 'Slip: an import has no option prefx: did you mean prefix?',
  })
})
