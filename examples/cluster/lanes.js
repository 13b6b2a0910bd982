const STROKE = 5

/** Draws a peer's lane: a stroke for each line up to `newest`, in the colour of the node that it came by. */
export function drawLane(canvas, tally, newest) {
  const scale = devicePixelRatio
  const { clientWidth: width, clientHeight: height } = canvas
  if (canvas.width !== width * scale || canvas.height !== height * scale) {
    canvas.width = width * scale
    canvas.height = height * scale
  }
  const context = canvas.getContext('2d')
  const style = getComputedStyle(canvas)
  context.setTransform(scale, 0, 0, scale, 0, 0)
  context.clearRect(0, 0, width, height)
  for (let n = newest, x = width - STROKE; n > 0 && x > -STROKE; n--, x -= STROKE) {
    const node = tally.by(n)
    if (node === undefined) {
      context.strokeStyle = style.getPropertyValue('--quiet')
      context.strokeRect(x + 0.5, height / 2 - 2.5, STROKE - 2, 5)
    } else {
      context.fillStyle = style.getPropertyValue(`--${node}`)
      context.fillRect(x, 0, STROKE - 1.5, height)
    }
  }
}
