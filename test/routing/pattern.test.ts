import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { behindPrefix, joinPaths, joinPrefixes, parsePattern } from '../../src/routing/pattern.js'

const valid: Record<string, { patterns: string[]; names?: string[] }> = {
  '/': { patterns: ['/'] },
  '/users': { patterns: ['/users'] },
  '/users/:id': { patterns: ['/users/:id'], names: ['id'] },
  '/a/:one/b/:two': { patterns: ['/a/:one/b/:two'], names: ['one', 'two'] },
  '/files/*path': { patterns: ['/files/*path'], names: ['path'] },
  '/files/*': { patterns: ['/files/*rest'], names: ['rest'] },
  '/files/*path?': { patterns: ['/files/*path', '/files'], names: ['path'] },
  '/posts/:year/:month?/:day?': {
    patterns: ['/posts/:year/:month/:day', '/posts/:year/:month', '/posts/:year'],
    names: ['year', 'month', 'day'],
  },
  '/:id(\\d+)': { patterns: ['/:id(\\d+)'], names: ['id'] },
  '/:id(\\d+)?': { patterns: ['/:id(\\d+)', '/'], names: ['id'] },
  '/:kind(a|b/c)/x': { patterns: ['/:kind(a|b/c)/x'], names: ['kind'] },
  '/:sign([(/)])/x': { patterns: ['/:sign([(/)])/x'], names: ['sign'] },
  '/:sign(\\))/x': { patterns: ['/:sign(\\))/x'], names: ['sign'] },
  '/:id((?:a|b)(?:c))': { patterns: ['/:id((?:a|b)(?:c))'], names: ['id'] },
  '/a b/c%20d': { patterns: ['/a%20b/c%20d'] },
  '/@me/a,b;c=d+e': { patterns: ['/%40me/a%2Cb%3Bc%3Dd%2Be'] },
}

const invalid: Record<string, string[]> = {
  '/:': [': has no valid name; use letters, digits and _'],
  '/:1st': [':1st has no valid name; use letters, digits and _'],
  '/*my-path': ['*my-path has no valid name; use letters, digits and _'],
  '/:a/:a': ['the name a stands twice'],
  '/:a/*a': ['the name a stands twice'],
  '/*rest/more': ['*rest must be the last segment'],
  '/:a?/b': ['b follows an optional segment; optional ones stand last'],
  '/:a?/': ['a closing slash follows an optional segment; optional ones stand last'],
  '/user-:id': ['user-:id mixes text and a parameter; a parameter is a whole segment'],
  '/users?page': ['users?page mixes text and a parameter; a parameter is a whole segment'],
  '/:id(\\d+': [':id(\\d+ lacks its )'],
  '/:id(\\d+).json': [':id(\\d+).json goes on behind its parenthesis; a parameter is a whole segment'],
  '/:id([)': [':id([): Invalid regular expression: /^(?:[)$/u: Unterminated character class'],
  '/:id(+)': [':id(+): Invalid regular expression: /^(?:+)$/u: Nothing to repeat'],
  '/100%': ['100% has a bad percent escape'],
}

describe('a pattern', () => {
  for (const [text, { patterns, names = [] }] of Object.entries(valid)) {
    test(`${text} is understood`, () => {
      const parsed = parsePattern(text)
      assert.deepEqual(parsed.problems, [])
      assert.deepEqual(
        parsed.patterns.map(pattern => pattern.text),
        patterns,
      )
      assert.deepEqual(parsed.names, names)
    })
  }

  for (const [text, problems] of Object.entries(invalid)) {
    test(`${text} is refused with its cure`, () => assert.deepEqual(parsePattern(text).problems, problems))
  }
})

describe('paths', () => {
  test('are joined with one slash between them, and none at the end but where the last one has it', () => {
    const joined: [string[], string][] = [
      [[], '/'],
      [['/', '/'], '/'],
      [['', '', ''], '/'],
      [['/users', '/'], '/users'],
      [['/users/', '/:id'], '/users/:id'],
      [['users', ':id'], '/users/:id'],
      [['/users', 'list/'], '/users/list/'],
      [['/api', '', '/'], '/api'],
    ]
    for (const [paths, expected] of joined) assert.equal(joinPaths(...paths), expected)
  })

  test('of prefixes are normal: one slash in front, none behind', () => {
    const joined: [string[], string][] = [
      [['', ''], ''],
      [['/', ''], ''],
      [['api', 'v1'], '/api/v1'],
      [['/api/', '/v1/'], '/api/v1'],
    ]
    for (const [paths, expected] of joined) assert.equal(joinPrefixes(...paths), expected)
  })

  test('lose their prefix by segments, whatever these look like', () => {
    const stripped: [string, string, string][] = [
      ['/api/users', '/api', '/users'],
      ['/api', '/api', '/'],
      ['/api/', '/api', '/'],
      ['/a%20b/users/1', '/a b', '/users/1'],
      ['/tenants/acme/users', '/tenants/:tenant', '/users'],
      ['/de/users', '/:language(de|fr/be)', '/users'],
    ]
    for (const [path, prefix, expected] of stripped) assert.equal(behindPrefix(path, prefix), expected)
  })
})
