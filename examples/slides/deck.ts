/** A slide, and what only its presenter reads. */
export interface Slide {
  readonly title: string
  readonly body: string
  readonly code?: string
  readonly notes: string
}

export const deck: readonly Slide[] = [
  {
    title: 'Palomino',
    body: 'Decorate a class; get a route, an event stream or a WebSocket. Hold on to the connections.',
    notes: 'Welcome everybody. Wait until nobody joins the list of who is here any more.',
  },
  {
    title: 'What is returned is sent',
    body: 'A handler answers with a value. No response object, no callbacks, no write.',
    code: "@WebSocket('/echo')\nclass Echo {\n  message(frame) {\n    return frame\n  }\n}",
    notes: 'Open the quickstart in another tab and type something.',
  },
  {
    title: 'A connection is an actor',
    body: 'One instance each, one message at a time. Its timers die with it, and close runs exactly once.',
    code: "@Sse('/time')\nclass TimeEvents {\n  open(stream) {\n    stream.every(1000, 'time')\n  }\n}",
    notes: 'Ask who has ever leaked an interval. All hands go up.',
  },
  {
    title: 'A registry is a log with listeners',
    body: 'What is sent to a room is remembered for a while. Streams and sockets hear it in one order.',
    code: "await audience.join(stream, 'main-stage')\n\nawait audience.to('main-stage').send('slide', slide)",
    notes: 'Somebody should press “Cut my connection” about now.',
  },
  {
    title: 'Nothing lost, nothing twice',
    body: 'Who comes back says what they saw last, and gets the rest. When that is gone, one gap event says so.',
    notes: 'Send a remark while they are away. It arrives when they are back.',
  },
  {
    title: 'Thank you',
    body: 'The whole of this is under two hundred lines, in examples/slides.',
    notes: 'Questions.',
  },
]
