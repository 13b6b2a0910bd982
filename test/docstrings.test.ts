import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { root } from './support/paths.js'

const types = join(root, 'dist/src')
const doors = ['index', 'logs/redis', 'logs/nats', 'logs/cluster', 'describe/index', 'testing/index']

/** A declaration of a published type file, and its members, each with its docstring. */
interface Declared {
  readonly doc: string
  readonly bases: readonly string[]
  readonly members: ReadonlyMap<string, string>
}

const HEAD = /^export (?:declare )?(?:abstract )?(class|interface|function|const|type) (\w+)(.*)/
const MEMBER = /^ {4}(?:(?:static|readonly|abstract|get|set|declare) )*(\w+)[?]?[<(:]/

/** The declarations of one file, as `tsc` formats them: a member has four spaces in front of it. */
function declarationsOf(text: string): Map<string, Declared> {
  const found = new Map<string, Declared>()
  let members = new Map<string, string>()
  let doc: string[] = []
  for (const line of text.split('\n')) {
    const comment = /^\s*(\/\*\*|\*)/.test(line)
    if (comment) {
      doc = line.includes('/**') ? [line] : [...doc, line]
      continue
    }
    const [, kind = '', name, rest = ''] = HEAD.exec(line) ?? []
    const member = MEMBER.exec(line)?.[1]
    if (name !== undefined) {
      members = new Map()
      const shown = kind === 'class' || kind === 'interface' ? members : new Map()
      const bases = [...rest.matchAll(/(?:extends|implements|,) (\w+)/g)].map(match => match[1] ?? '')
      // Of several overloads the first has the docstring.
      if (!found.has(name)) found.set(name, { doc: doc.join('\n'), bases, members: shown })
    } else if (member !== undefined && member !== 'constructor' && !members.has(member))
      members.set(member, doc.join('\n'))
    doc = []
  }
  return found
}

const files = readdirSync(types, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.d.ts'))
const all = new Map(files.map(file => [file, declarationsOf(readFileSync(join(types, file), 'utf8'))]))
const everywhere = new Map([...all.values()].flatMap(each => [...each]))

/** What a door exports, by its name there. */
function exportsOf(door: string): [string, Declared | undefined][] {
  const text = readFileSync(join(types, `${door}.d.ts`), 'utf8')
  const own = all.get(`${door}.d.ts`) ?? new Map<string, Declared>()
  const passed = [...text.matchAll(/export (?:type )?\{([^}]*)\} from '(.*?)\.js'/g)].flatMap(
    ([, names = '', from = '']) => {
      const declared = all.get(join(dirname(door), `${from}.d.ts`))
      const list = names.split(',').map(name => name.trim().replace(/^type /, ''))
      return list.filter(name => name !== '').map((name): [string, Declared | undefined] => [name, declared?.get(name)])
    },
  )
  return [...own, ...passed]
}

/** Whether a member says what it is, itself or where it is inherited from, as editors show it. */
function isTold(member: string, { members, bases }: Declared): boolean {
  if (members.get(member) !== undefined && members.get(member) !== '') return true
  return bases.some(base => ['Error'].includes(base) || isTold(member, everywhere.get(base) ?? NOTHING))
}

const NOTHING: Declared = { doc: '', bases: [], members: new Map() }

describe('what is exported says what it is', () => {
  for (const door of doors) {
    test(`${door}, and each public member of it`, () => {
      const silent = exportsOf(door).flatMap(([name, declared]) => {
        if (declared === undefined || declared.doc === '') return [name]
        return [...declared.members.keys()]
          .filter(member => member !== 'name' && !isTold(member, declared))
          .map(member => `${name}.${member}`)
      })
      assert.deepEqual(silent, [])
    })
  }

  test('an option that may be left out says what then holds', () => {
    const silent = doors.flatMap(exportsOf).flatMap(([name, declared]) => {
      if (declared === undefined || !name.endsWith('Options')) return []
      return [...declared.members]
        .filter(([, doc]) => !/@default|undefined|absent/.test(doc))
        .map(([key]) => `${name}.${key}`)
    })
    assert.deepEqual(silent, [])
  })
})
