import { existsSync } from 'node:fs'
import { after, type TestContext, test } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'

const CANDIDATES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

// No sandbox, since CI runs as root; nothing is drawn, so that no process need draw it; the rest keeps Chromium from
// calling anyone but the server under test.
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--in-process-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

const executablePath = CANDIDATES.find(path => path !== undefined && existsSync(path))
const skip = executablePath === undefined && 'no Chromium found: apt-get install chromium, or set CHROMIUM to its path'

/** Launched by the file's first test, closed after its last. */
let browser: Promise<Browser> | undefined
after(async () => (await browser)?.close())

export interface BrowserTestOptions {
  /** Console errors that the test provokes, such as Chromium's own report of a refused handshake. */
  allow?: RegExp[]
  /** For a server with a certificate of its own making. @default false */
  ignoreHTTPSErrors?: boolean
  /** Why it is skipped besides. @default false */
  skip?: string | false
  /** Milliseconds. @default 60_000 */
  timeout?: number
}

type BrowserTest = (page: Page, t: TestContext) => Promise<void>

/**
 * A test in a page of a fresh browser context, or a skipped one where there is no Chromium.
 * An uncaught error in the page, or in a further one of its context, or one on their consoles, fails it.
 */
export function browserTest(name: string, fn: BrowserTest, options: BrowserTestOptions = {}): void {
  const { timeout = 60_000 } = options
  test(name, { skip: skip || (options.skip ?? false), timeout }, async t => {
    browser ??= chromium.launch({ executablePath: executablePath!, args: ARGS })
    const { allow = [], ignoreHTTPSErrors = false } = options
    const context = await (await browser).newContext({ ignoreHTTPSErrors })
    t.after(() => context.close())
    const page = await context.newPage()
    const errors: string[] = []
    context.on('weberror', problem => {
      const error = problem.error()
      errors.push(`uncaught in the page: ${error.stack ?? error.message}`)
    })
    context.on('console', message => {
      const { url } = message.location()
      if (message.type() !== 'error' || url.endsWith('/favicon.ico')) return
      errors.push(`on the page's console: ${message.text()} (${url})`)
    })
    await fn(page, t)
    const unexpected = errors.filter(error => !allow.some(pattern => pattern.test(error)))
    if (unexpected.length > 0) throw new Error(unexpected.join('\n'))
  })
}
