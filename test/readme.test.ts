import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './support/paths.js'
import { type Drive, testSnippets } from './support/readme.js'

/** What each snippet of README.md is held to, by its file. */
const DRIVES: Record<string, Drive> = {}

const readme = join(root, 'README.md')
if (existsSync(readme)) testSnippets(readFileSync(readme, 'utf8'), DRIVES)
