import { createRequire } from 'node:module'

/**
 * Loads a package that is CommonJS. To `import` it, Node.js parses it first, for the names that it exports: of tsyringe and
 * `reflect-metadata` that is a third of what importing Palomino takes (`npm run bench -- -w start`).
 */
export const require = createRequire(import.meta.url)
