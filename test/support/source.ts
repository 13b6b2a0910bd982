import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { root } from './paths.js'

/** One file of `src`, read the way the architecture test needs it. */
export interface SourceFile {
  /** Relative to `src`, with slashes. */
  path: string
  /** As written. */
  text: string
  /** Same length and lines as `text`; comments, and what stands between quotes, are blanks. */
  code: string
  /** Module specifiers, type-only ones and `import()` included; relative ones are paths like `path`. */
  imports: string[]
}

export function readSources(folder = join(root, 'src')): SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => path.replaceAll('\\', '/'))
    .sort()
    .map(path => readSource(path, readFileSync(join(folder, path), 'utf8')))
}

export function readSource(path: string, text: string): SourceFile {
  const code = blank(text)
  return { path, text, code, imports: importsOf(path, text, code) }
}

function importsOf(path: string, text: string, code: string) {
  return [...code.matchAll(/\b(?:from\s*|import\s*\(?\s*)(['"`])( *)\1/g)].map(match => {
    const end = match.index + match[0].length - 1
    const specifier = text.slice(end - match[2]!.length, end)
    if (!specifier.startsWith('.')) return specifier
    return normalize(join(dirname(path), specifier))
      .replaceAll('\\', '/')
      .replace(/\.js$/, '.ts')
  })
}

// In this order: comments, strings, a template without its `${}` (read further below), a regular expression literal
// (only where a value may begin, so that a division is none).
const LITERAL =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"|(?<=(?:^|[=(,:;!&|?{}[<>+*%~^-]|\b(?:return|typeof|case|of|in))\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*|`/g

function blank(text: string): string {
  let code = ''
  let at = 0
  LITERAL.lastIndex = 0
  for (let match = LITERAL.exec(text); match !== null; match = LITERAL.exec(text)) {
    code += text.slice(at, match.index)
    const literal =
      match[0] === '`' ? template(text, match.index) : { blanked: blankLiteral(match[0]), end: LITERAL.lastIndex }
    code += literal.blanked
    at = LITERAL.lastIndex = literal.end
  }
  return code + text.slice(at)
}

/** Keeps the quotes of a string, so that an import is still seen, and the line breaks of everything. */
function blankLiteral(literal: string) {
  const blanks = literal.replace(/[^\n]/g, ' ')
  return /^['"]/.test(literal) ? literal[0] + blanks.slice(1, -1) + literal[0] : blanks
}

/** A template literal from its opening backtick: its text is blanked, the code in its `${}` is kept. */
function template(text: string, start: number): { blanked: string; end: number } {
  let blanked = '`'
  let at = start + 1
  while (at < text.length && text[at] !== '`') {
    if (text.startsWith('${', at)) {
      const end = closingBrace(text, at + 2)
      blanked += `  ${blank(text.slice(at + 2, end))} `
      at = end + 1
    } else {
      const width = text[at] === '\\' ? 2 : 1
      blanked += text.slice(at, at + width).replace(/[^\n]/g, ' ')
      at += width
    }
  }
  return { blanked: `${blanked}\``, end: at + 1 }
}

/** Where the brace that was opened before `start` closes; literals on the way are jumped over. */
function closingBrace(text: string, start: number): number {
  let depth = 1
  let at = start
  while (at < text.length) {
    LITERAL.lastIndex = at
    const literal = LITERAL.exec(text)
    const stop = literal?.index ?? text.length
    for (; at < stop; at++) {
      if (text[at] === '{') depth++
      if (text[at] === '}' && --depth === 0) return at
    }
    if (literal !== null)
      at = literal[0] === '`' ? template(text, literal.index).end : literal.index + literal[0].length
  }
  return at
}
