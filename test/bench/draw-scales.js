/** Draws how each figure goes with the size of a workload, which is on a logarithmic scale. */
import { escapeText } from './draw.js'
import { units } from './summary.js'

const COLUMNS = 2
const WIDTH = 460
const SPACE = 40
/** A plot's height, of which its lines have less; the room of its axis. */
const PLOT = 170
const DEEP = 110
const LEFT = 30

export function drawScales(scales) {
  const plots = scales.flatMap(workload => figuresOf(workload).map(figure => plot(workload, figure)))
  const rows = Math.ceil(plots.length / COLUMNS)
  const size = `${COLUMNS * (WIDTH + 20) + 20} ${SPACE + rows * PLOT}`
  const placed = plots.map((drawn, index) => {
    const [x, y] = [20 + (index % COLUMNS) * (WIDTH + 20), SPACE + Math.floor(index / COLUMNS) * PLOT]
    return `<g transform="translate(${x} ${y})">${drawn}</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" font-family="system-ui, sans-serif" font-size="11">`,
    '<title>How the cost goes with the size</title>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    '<text x="20" y="24" font-size="15" font-weight="600">Flat is what does not grow with the size. Palomino is drawn bold, bare Node.js grey.</text>',
    ...placed,
    '</svg>\n',
  ].join('\n')
}

function figuresOf({ points }) {
  const [first] = points
  return ['cpu', 'opening', 'rss'].filter(figure => first?.contestants.some(contestant => figure in contestant))
}

function plot({ title, unit, over, points }, figure) {
  const names = points[0].contestants.map(({ name }) => name)
  const figureAt = (point, name) => point.contestants.find(contestant => contestant.name === name)?.[figure]
  const most = 1.2 * Math.max(...points.flatMap(point => point.contestants.map(contestant => contestant[figure])))
  const [low, high] = [Math.log(points[0].at), Math.log(points.at(-1).at)]
  const across = at => LEFT + ((Math.log(at) - low) / (high - low)) * (WIDTH - LEFT - 30)
  const down = value => DEEP * (1 - value / most)
  const lines = names.map(name => line(name, points, point => figureAt(point, name), across, down))
  const marks = points.map(
    ({ at }) =>
      `<text x="${across(at).toFixed(1)}" y="${DEEP + 30}" text-anchor="middle">${at.toLocaleString('en')}</text>`,
  )
  const per = figure === 'cpu' ? `${units.cpu} per ${unit}` : units[figure]
  return (
    `<text y="4" font-weight="600">${escapeText(`${title}: ${per}, over ${over}`)}</text>` +
    `<path d="M${LEFT} 14V${DEEP + 16}H${WIDTH - 30}" fill="none" stroke="#999"/><g transform="translate(0 14)">${lines.join('')}</g>${marks.join('')}`
  )
}

function line(name, points, figureAt, across, down) {
  const isOurs = name === 'palomino'
  const there = points.filter(point => figureAt(point) !== undefined)
  const path = there.map(
    (point, index) => `${index === 0 ? 'M' : 'L'}${across(point.at).toFixed(1)} ${down(figureAt(point)).toFixed(1)}`,
  )
  const stroke = isOurs ? 'stroke="#b7791f" stroke-width="3"' : 'stroke="#8a8f98" stroke-width="1.5"'
  const labels = there.map(
    point =>
      `<text x="${across(point.at).toFixed(1)}" y="${(down(figureAt(point)) - 5).toFixed(1)}" text-anchor="middle" fill="#b7791f">${figureAt(point)}</text>`,
  )
  return `<path d="${path.join('')}" fill="none" ${stroke}/>${isOurs ? labels.join('') : ''}`
}
