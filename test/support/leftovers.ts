/** What a test file starts ends with it, however the file ends: also where it is killed and can end nothing itself. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'

const NAME = 'PALOMINO_TEST_FILE'

/**
 * A shell of which nobody hears: its input ends when the file does. It ends all processes in whose environment the mark
 * (`$0`) is, frozen ones too, and what these started meanwhile. Where there is no `/proc`, it finds none.
 */
const SCRIPT = `
cat >/dev/null
while left="$(grep -lszx "$0" /proc/[0-9]*/environ | cut -d/ -f3)" && [ -n "$left" ]; do kill -KILL $left; done
`

/** Marks all that this process starts from here on, for the shell to find. */
export function endWithThisProcess(): void {
  const mark = `${process.pid}-${randomUUID()}`
  // Not marked itself, neither by this file nor by one that this runs in; detached, so that Ctrl-C does not reach it.
  const { [NAME]: _, ...env } = process.env
  const shell = spawn('sh', ['-c', SCRIPT, `${NAME}=${mark}`], {
    env,
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  shell.on('error', () => {})
  shell.unref()
  ;(shell.stdin as NonNullable<typeof shell.stdin> & { unref(): void }).unref()
  process.env[NAME] = mark
}
