/** Draws each workload as bars, the cheapest on top; the bare contestant's mark runs through all of them. */
import { units } from './summary.js'

const WIDTH = 460
const BAR = 16
const LABEL = 190
const SPACE = 40
const COLUMNS = 2

export function drawResults(measured) {
  const heights = new Array(COLUMNS).fill(SPACE)
  const panels = measured
    .filter(({ contestants }) => contestants.length > 0)
    .map(workload => {
      const column = heights.indexOf(Math.min(...heights))
      const y = heights[column]
      heights[column] += panelHeight(workload)
      return `<g transform="translate(${20 + column * (WIDTH + 20)} ${y})">${panel(workload)}</g>`
    })
  const size = `${COLUMNS * (WIDTH + 20) + 20} ${Math.max(...heights)}`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size}" font-family="system-ui, sans-serif" font-size="11">`,
    '<title>What each workload costs each contestant</title>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    '<text x="20" y="24" font-size="15" font-weight="600">Less is better. Bars are medians; the line is bare Node.js.</text>',
    ...panels,
    '</svg>\n',
  ].join('\n')
}

const panelHeight = ({ contestants }) => contestants.length * BAR + 58

function panel({ title, contestants }) {
  const figure = Object.keys(units).find(name => name in contestants[0])
  const most = Math.max(...contestants.map(contestant => contestant[figure]))
  const room = WIDTH - LABEL - 50
  const scale = value => Math.max(1, (value / most) * room)
  const rows = contestants
    .toSorted((a, b) => a[figure] - b[figure])
    .map((contestant, index) => bar(contestant, contestant[figure], scale(contestant[figure]), 14 + index * BAR))
  const bare = contestants.find(({ name }) => name === 'bare')
  const x = LABEL + scale(bare?.[figure] ?? 0)
  const line = bare && `<path d="M${x} 12V${14 + contestants.length * BAR}" stroke="#555" stroke-dasharray="3 3"/>`
  return `<text y="4" font-weight="600">${escapeText(title)} (${units[figure]})</text>${line ?? ''}${rows.join('')}`
}

function bar({ name, title }, value, length, y) {
  const isOurs = name === 'palomino'
  const fill = isOurs ? '#b7791f' : name.startsWith('bare') ? '#8a8f98' : '#c3c9d4'
  const weight = isOurs ? ' font-weight="600"' : ''
  return (
    `<text x="${LABEL - 6}" y="${y + 11}" text-anchor="end"${weight}>${escapeText(title)}</text>` +
    `<rect x="${LABEL}" y="${y + 2}" width="${length.toFixed(1)}" height="${BAR - 4}" rx="2" fill="${fill}"/>` +
    `<text x="${LABEL + length + 5}" y="${y + 11}"${weight}>${value}</text>`
  )
}

export function escapeText(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
