/** What the parameters of a handler ask of its body, and what cannot be asked together. */
import type { ParamDeclaration } from '../declare/metadata.js'
import type { BodyOptions } from '../declare/params.js'
import type { FilesOptions } from '../declare/uploads.js'

export function asksForBody({ source }: ParamDeclaration): boolean {
  return source === 'body' || source === 'file' || source === 'files'
}

export function bodyProblems(where: string, declared: ReadonlyMap<number, ParamDeclaration>): string[] {
  const inOrder = [...declared].sort(([one], [other]) => one - other)
  const asks = inOrder.map(([, declaration]) => declaration).filter(asksForBody)
  const bodies = asks.filter(ask => ask.source === 'body')
  const files = asks.filter(ask => ask.source !== 'body')
  const twice =
    bodies.length > 1
      ? [`${where}: the body is asked for ${bodies.length} times; it can be read once, so use one @Body`]
      : []
  return [...twice, ...(files.length > 0 ? formProblems(where, bodies[0], files) : [])]
}

function formProblems(where: string, body: ParamDeclaration | undefined, files: readonly ParamDeclaration[]): string[] {
  const as = (body?.options as BodyOptions | undefined)?.as
  const whole =
    as === undefined
      ? []
      : [
          `${where}: @Body({ as: '${as}' }) takes the whole body, and leaves nothing for ${written(files[0])}: drop 'as'`,
        ]
  const names = files.map(({ name }) => name)
  const repeated = files.filter((ask, index) => names.indexOf(ask.name) !== index)
  const streamed = files.find(ask => (ask.options as FilesOptions | undefined)?.to === 'stream')
  const mixed =
    streamed === undefined || files.length === 1
      ? []
      : [
          `${where}: with to: 'stream' the handler is called before the other files are there: take all by one @Files({ to: 'stream' })`,
        ]
  return [
    ...whole,
    ...repeated.map(ask => `${where}: ${written(ask)} is there twice: one name, one parameter`),
    ...mixed,
  ]
}

/** A parameter decorator as its user wrote it. */
function written(ask: ParamDeclaration | undefined): string {
  const decorator = ask?.source === 'file' ? 'File' : 'Files'
  return `@${decorator}(${ask?.name === undefined ? '' : `'${ask.name}'`})`
}
