/** What middleware would have answered to GET: so that another method is 405 there, and not 404 (RFC 9110 §15.5.6). */
import type { IncomingMessage } from 'node:http'

type IsThere = () => Promise<boolean>

const offers = new WeakMap<IncomingMessage, IsThere[]>()

/** Leaves word, on a request that is passed on, that GET and HEAD may be answered under its path. It is asked only where no route takes the request. */
export function offerGet(request: IncomingMessage, isThere: IsThere): void {
  const others = offers.get(request)
  if (others === undefined) offers.set(request, [isThere])
  else others.push(isThere)
}

/** Whether GET would be answered by middleware; undefined where none has left word. */
export function isGetOffered(request: IncomingMessage): Promise<boolean> | undefined {
  const asked = offers.get(request)
  return asked === undefined ? undefined : Promise.all(asked.map(isThere => isThere())).then(all => all.includes(true))
}
