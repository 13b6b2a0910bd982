/** What a peer says of the media types it takes (RFC 9110 §12.5.1). */
const EVENT_STREAM = 'text/event-stream'

interface MediaRange {
  readonly type: string
  readonly quality: number
}

/** Whether a peer takes event streams. A missing field accepts everything. */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true
  const ranges = readRanges(accept)
  const quality = (type: string) => ranges.find(range => range.type === type)?.quality
  return (quality(EVENT_STREAM) ?? quality('text/*') ?? quality('*/*') ?? 0) > 0
}

/** Whether a peer that may have a page as well asks for the stream: by its name, and for nothing rather than that. */
export function prefersEventStream(accept: string | undefined): boolean {
  if (accept === undefined) return false
  const ranges = readRanges(accept)
  const wanted = ranges.find(range => range.type === EVENT_STREAM)?.quality ?? 0
  return wanted > 0 && !ranges.some(range => range.quality > wanted)
}

function readRanges(accept: string): MediaRange[] {
  return accept
    .toLowerCase()
    .split(',')
    .map(range => {
      const [type = '', ...parameters] = range.split(';').map(part => part.trim())
      const weight = parameters.find(parameter => parameter.startsWith('q='))
      return { type, quality: Number(weight?.slice(2) ?? 1) }
    })
}
