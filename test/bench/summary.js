/** Medians, and the table of one workload. */

/** What each figure is in; the first that a workload has is its main one. */
export const units = {
  cpu: 'CPU µs',
  startup: 'CPU ms',
  waited: 'p99 ms',
  quiet: 'p99 ms with no broadcast',
  opening: 'CPU µs to open',
  rate: 'per second',
  p50: 'p50 ms',
  p99: 'p99 ms',
  broker: 'CPU µs of what holds the log',
  rss: 'RSS KB each',
  heap: 'heap KB each',
  growth: 'RSS growth MB',
  held: 'RSS growth held MB',
  left: 'RSS left MB',
  again: 'RSS left by a second time MB',
  speed: 'MB/s',
  peak: 'peak RSS MB',
  took: 'ms',
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** The median of each figure over all rounds of all processes, and the spread of the first (its quartiles). */
export function summarize(samples) {
  const figures = {}
  for (const figure of Object.keys(units)) {
    const values = samples.map(sample => sample[figure]).filter(value => value !== undefined)
    if (values.length > 0) figures[figure] = round(median(values))
  }
  const [first] = Object.keys(figures)
  const values = samples
    .map(sample => sample[first])
    .filter(value => value !== undefined)
    .sort((a, b) => a - b)
  const quartiles = [values[Math.floor(values.length / 4)], values[Math.floor((values.length * 3) / 4)]].map(round)
  return { ...figures, quartiles, rounds: values.length }
}

export function formatTable(contestants) {
  const figures = Object.keys(units).filter(figure => contestants.some(contestant => figure in contestant))
  const [first] = figures
  const bare = contestants.find(({ name }) => name === 'bare')?.[first]
  const head = ['', ...figures.map(figure => units[figure]), ...(bare === undefined ? [] : ['× bare']), 'quartiles']
  const rows = contestants
    .toSorted((a, b) => a[first] - b[first])
    .map(contestant => [
      contestant.title,
      ...figures.map(figure => String(contestant[figure] ?? '')),
      ...(bare === undefined ? [] : [(contestant[first] / bare).toFixed(2)]),
      contestant.quartiles.join('–'),
    ])
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => row[column].length)))
  const format = row =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
  return [head, ...rows].map(row => format(row).join('  ')).join('\n')
}

function round(value) {
  return value >= 1000 ? Math.round(value) : Number(value.toPrecision(3))
}
