import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HttpError } from '../../src/index.js'
import { Matcher } from '../../src/routing/matcher.js'
import { routeAt } from '../support/apps.js'

type ClosingSlash = 'ignore' | 'strict' | 'redirect'

/** A matcher of `METHOD /pattern` or `/pattern` texts, each its own endpoint. */
function matcherOf(texts: readonly string[], closingSlash: ClosingSlash = 'ignore') {
  const routes = texts.map(text => {
    const [method, pattern] = text.startsWith('/') ? ['GET', text] : (text.split(' ') as [string, string])
    return { route: routeAt(pattern, { method }), endpoint: text }
  })
  return new Matcher(routes, closingSlash)
}

function find(matcher: Matcher<string>, path: string, method = 'GET') {
  const match = matcher.find(path, leaf => leaf.http.get(method))
  return match && { endpoint: match.endpoint, params: { ...match.params } }
}

/** What a path leads to, as `pattern name=value …`; undefined where it leads nowhere. */
function lead(matcher: Matcher<string>, path: string, method = 'GET') {
  const match = find(matcher, path, method)
  if (match === undefined) return undefined
  return [match.endpoint, ...Object.entries(match.params).map(([name, value]) => `${name}=${value}`)].join(' ')
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map(rest => [item, ...rest]))
}

describe('precedence', () => {
  const patterns = ['/users/me', '/users/:id(\\d+)', '/users/:name', '/users/*rest', '/*rest']
  const leads: Record<string, string> = {
    '/users/me': '/users/me',
    '/users/7': '/users/:id(\\d+) id=7',
    '/users/you': '/users/:name name=you',
    '/users/7/posts': '/users/*rest rest=7/posts',
    '/about/us': '/*rest rest=about/us',
  }

  test('is text, constrained parameter, free parameter, wildcard, whatever the order of declaration', () => {
    for (const order of permutations(patterns)) {
      const matcher = matcherOf(order)
      for (const [path, expected] of Object.entries(leads)) assert.equal(lead(matcher, path), expected, order.join(' '))
    }
  })

  test('among constrained parameters does not depend on the order of declaration either', () => {
    for (const order of permutations(['/:a(\\d+)', '/:b([0-9a-f]+)', '/:c(\\w+)'])) {
      const matcher = matcherOf(order)
      assert.deepEqual(
        ['/12', '/1f', '/xy'].map(path => lead(matcher, path)),
        ['/:b([0-9a-f]+) b=12', '/:b([0-9a-f]+) b=1f', '/:c(\\w+) c=xy'],
      )
    }
  })

  test('is decided segment by segment, from the left, and goes back where that leads nowhere', () => {
    const matcher = matcherOf(['/a/:x/c', '/:y/b/d', '/a/b/*rest', '/a/:x(\\d)/e'])
    assert.equal(lead(matcher, '/a/b/c'), '/a/b/*rest rest=c')
    assert.equal(lead(matcher, '/a/z/c'), '/a/:x/c x=z')
    assert.equal(lead(matcher, '/a/1/c'), '/a/:x/c x=1')
    assert.equal(lead(matcher, '/a/1/e'), '/a/:x(\\d)/e x=1')
    assert.equal(lead(matcher, '/q/b/d'), '/:y/b/d y=q')
    assert.equal(lead(matcher, '/q/b/c'), undefined)
  })

  test('belongs to each method alone: GET /users/me does not hide DELETE /users/:id', () => {
    const matcher = matcherOf(['GET /users/me', 'DELETE /users/:id', 'PUT /users/*rest'])
    assert.equal(lead(matcher, '/users/me'), 'GET /users/me')
    assert.equal(lead(matcher, '/users/me', 'DELETE'), 'DELETE /users/:id id=me')
    assert.equal(lead(matcher, '/users/me', 'PUT'), 'PUT /users/*rest rest=me')
    assert.equal(lead(matcher, '/users/7'), undefined)
    assert.equal(matcher.leaves('/users/me').length, 3)
    assert.deepEqual(matcher.leaves('/nobody'), [])
  })
})

describe('a path', () => {
  test('with an optional segment is found with and without it', () => {
    const matcher = matcherOf(['/posts/:year/:month?', '/files/*path?'])
    assert.equal(lead(matcher, '/posts/2026/11'), '/posts/:year/:month? year=2026 month=11')
    assert.equal(lead(matcher, '/posts/2026'), '/posts/:year/:month? year=2026')
    assert.equal(lead(matcher, '/posts'), undefined)
    assert.equal(lead(matcher, '/files'), '/files/*path?')
    assert.equal(lead(matcher, '/files/a/b'), '/files/*path? path=a/b')
  })

  test('under a wildcard has at least one segment', () => {
    const matcher = matcherOf(['/files/*path', '/*rest'])
    assert.equal(lead(matcher, '/files'), '/*rest rest=files')
    assert.equal(lead(matcher, '/'), undefined)
  })

  test('that is the root is found', () => assert.equal(lead(matcherOf(['/']), '/'), '/'))

  test('has parameters that no prototype fills', () => {
    const matcher = matcherOf(['/:__proto__/:constructor'])
    const params = matcher.find('/a/b', leaf => leaf.http.get('GET'))?.params
    assert.equal(Object.getPrototypeOf(Object.getPrototypeOf(params)), null)
    assert.deepEqual(Object.entries(params ?? {}), [
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ])
    assert.equal(lead(matcherOf(['/users']), '/constructor'), undefined)
  })

  test('never has an empty parameter', () => {
    const matcher = matcherOf(['/a/:x/b', '/:y', '/:z(.*)/c'])
    for (const path of ['/a//b', '//', '//c']) assert.equal(lead(matcher, path), undefined, path)
  })

  test('with ten thousand segments is answered', () => {
    const matcher = matcherOf(['/:a/:b/*rest'])
    assert.equal(find(matcher, '/x'.repeat(10_000))?.params.rest?.length, 9998 * 2 - 1)
  })
})

describe('percent escapes', () => {
  test('B5: are decoded once for each segment, after the split', () => {
    const matcher = matcherOf(['/files/:name', '/files/:folder/:name', '/a b/@me'])
    assert.equal(lead(matcher, '/files/a%2Fb%20c'), '/files/:name name=a/b c')
    assert.equal(lead(matcher, '/files/a%252Fb'), '/files/:name name=a%2Fb')
    assert.equal(lead(matcher, '/files/%2e%2e/x'), '/files/:folder/:name folder=.. name=x')
    assert.equal(lead(matcher, '/a%20b/%40me'), '/a b/@me')
    assert.equal(lead(matcher, '/a%20b/@me'), '/a b/@me')
    assert.equal(lead(matcher, '/files/%C3%A9'), '/files/:name name=é')
  })

  test('never split a segment, so that text of a route is not reached around it', () => {
    const matcher = matcherOf(['/admin/users', '/:page'])
    assert.equal(lead(matcher, '/admin%2Fusers'), '/:page page=admin/users')
  })

  test('are seen decoded by the constraint of a parameter', () => {
    const matcher = matcherOf(['/:name([a-z]+)'])
    assert.equal(lead(matcher, '/%61b'), '/:name([a-z]+) name=ab')
    assert.equal(lead(matcher, '/a%2Fb'), undefined)
    assert.equal(lead(matcher, '/ab%0A'), undefined)
  })

  for (const path of ['/a/%', '/a/%zz', '/a/%E0%A4%A', '/%ff']) {
    test(`B5: that are bad, as in ${path}, are answered with 400`, () => {
      const matcher = matcherOf(['/a/:x', '/:y'])
      const bad = (error: unknown) => error instanceof HttpError && error.status === 400
      assert.throws(() => find(matcher, path), bad)
    })
  }
})

describe('the closing slash', () => {
  test('is ignored by default, one of it', () => {
    const matcher = matcherOf(['/a', '/b/', '/c/:x', '/d/*rest'])
    for (const path of ['/a', '/a/', '/b', '/b/', '/c/1/', '/d/1/']) assert.ok(find(matcher, path), path)
    assert.equal(lead(matcher, '/c/1/'), '/c/:x x=1')
    assert.equal(find(matcher, '/a//'), undefined)
    assert.equal(find(matcher, '/c/'), undefined)
  })

  test('makes another path under `strict` and `redirect`', () => {
    for (const policy of ['strict', 'redirect'] as const) {
      const matcher = matcherOf(['/a', '/b/', '/c/:x', '/c/:x/', '/d'], policy)
      const leads = ['/a', '/a/', '/b', '/b/', '/c/1', '/c/1/', '/d/'].map(path => lead(matcher, path))
      assert.deepEqual(leads, ['/a', undefined, undefined, '/b/', '/c/:x x=1', '/c/:x/ x=1', undefined])
    }
  })
})
