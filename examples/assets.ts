import { Controller, file, Get, Module, Param, type RequestContext, redirect } from 'palomino'

/** tsc copies no assets: they are served where they were written, beside package.json, wherever the compiled code lies. */
const root = new URL('examples/', import.meta.resolve('palomino/package.json'))

/**
 * A page of an example. Its links are relative to its folder, so its address ends with a slash.
 * @param asks what the page's scripts may ask besides whoever served it
 */
export function page(context: RequestContext, path: string, asks = '') {
  if (!context.originalPath.endsWith('/')) return redirect(`${context.originalPath}/`, 308)
  const policy = asks === '' ? "default-src 'self'" : `default-src 'self'; connect-src 'self' ${asks}`
  return file(path, { root, headers: { 'Content-Security-Policy': policy } })
}

/** What the pages load. The pattern lets nothing else through. */
@Controller('/assets')
class AssetsController {
  @Get('/:folder([a-z]+)/:name([a-z]+\\.(?:css|js|svg))')
  show(@Param('folder') folder: string, @Param('name') name: string) {
    return file(`${folder}/${name}`, { root })
  }
}

@Module({ controllers: [AssetsController] })
export class Assets {}
