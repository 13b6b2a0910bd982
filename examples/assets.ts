import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { Controller, Get, html, Module, notFound, Param, type RequestContext, redirect, reply } from 'palomino'

/** tsc copies no assets: they are read where they were written, beside package.json, wherever the compiled code lies. */
const folder = new URL('examples/', import.meta.resolve('palomino/package.json'))

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** A page of an example. Its links are relative to its folder, so its address ends with a slash. */
export async function page(context: RequestContext, file: string) {
  if (!context.originalPath.endsWith('/')) return redirect(`${context.originalPath}/`, 308)
  return html(await readFile(new URL(file, folder), 'utf8'), {
    headers: { 'Cache-Control': 'no-cache', 'Content-Security-Policy': "default-src 'self'" },
  })
}

/** What the pages load. The pattern lets nothing else through. */
@Controller('/assets')
class AssetsController {
  @Get('/:folder([a-z]+)/:file([a-z]+\\.(?:css|js|svg))')
  async show(@Param('folder') name: string, @Param('file') file: string) {
    const bytes = await readFile(new URL(`${name}/${file}`, folder)).catch(() => notFound())
    if (bytes instanceof Error) return bytes
    return reply(bytes, { headers: { 'Content-Type': TYPES[extname(file)] ?? '', 'Cache-Control': 'no-cache' } })
  }
}

@Module({ controllers: [AssetsController] })
export class Assets {}
