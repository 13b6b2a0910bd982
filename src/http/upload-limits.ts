import { tmpdir } from 'node:os'
import { withDefaults } from '../declare/options.js'
import type { UploadOptions } from '../declare/uploads.js'
import { contentTooLarge, type HttpError, ValidationError } from '../errors.js'
import type { Route } from '../routing/table.js'

export interface UploadLimits extends Required<UploadOptions> {
  /** The option that `totalSize` was taken from. */
  readonly totalName: 'totalSize' | 'bodyLimit'
}

const usual: Omit<UploadLimits, 'directory'> = {
  fileSize: 33_554_432,
  files: 100,
  fields: 1000,
  parts: 1100,
  fieldNameSize: 256,
  fieldSize: 1_048_576,
  headerSize: 8192,
  totalSize: 134_217_728,
  totalName: 'totalSize',
}

/** The limits of a route: its own, then the application's, then the usual ones. */
export function limitsOf(route: Route, defaults: UploadOptions): UploadLimits {
  const own = (route.options as { readonly uploads?: UploadOptions }).uploads
  return withDefaults(withDefaults({ ...usual, directory: tmpdir() }, defaults), own)
}

/** Where no uploads are taken, a form is a body like any other. */
export function withoutUploads(limits: UploadLimits, bodyLimit: number): UploadLimits {
  return { ...limits, totalSize: bodyLimit, totalName: 'bodyLimit' }
}

/** 413 that names the limit: `{ "limit": 8192, "exceeded": "headerSize" }`. */
export function exceeds(what: string, limit: number, exceeded: string): HttpError {
  return contentTooLarge(what, { extensions: { limit, exceeded } })
}

/** @throws HttpError 413 where a body has come, or is going to, that is larger than allowed */
export function checkTotal(bytes: number, { totalSize, totalName }: UploadLimits): void {
  if (bytes > totalSize) throw exceeds(`the body is larger than ${totalSize} bytes`, totalSize, totalName)
}

/** 422: an upload that is missing, or not taken. */
export function refused(name: string, message: string): ValidationError {
  return new ValidationError([{ in: 'file', path: [name], message }])
}
