import { join } from 'node:path'

/** The folder of package.json, seen from `dist/test/support`. */
export const root = join(import.meta.dirname, '../../..')
