/** Writes README.md's tables and results.svg from results/latest.json: `npm run bench -- report`. */
import { readFile, writeFile } from 'node:fs/promises'
import { drawResults } from './draw.js'
import { drawScales } from './draw-scales.js'
import { units } from './summary.js'
import { judge, targets } from './targets.js'
import { workloads } from './workloads.js'

const here = name => new URL(name, import.meta.url)
const results = JSON.parse(await readFile(here('results/latest.json'), 'utf8'))
const all = Object.keys(workloads)
  .filter(name => name in results.workloads)
  .map(name => ({ name, ...results.workloads[name] }))
const measured = all.filter(({ points }) => points === undefined)
const scales = all.filter(({ points }) => points !== undefined)

const readme = await readFile(here('README.md'), 'utf8')
const parts = { targets: targetTable(), scales: scaleTables(), results: resultTables(), versions: versions() }
await writeFile(here('README.md'), Object.entries(parts).reduce(put, readme))
await writeFile(here('results/results.svg'), drawResults(measured))
await writeFile(here('results/scales.svg'), drawScales(scales))

function put(text, [name, part]) {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const [before, rest] = text.split(begin)
  if (rest === undefined) throw new Error(`README.md has no ${begin}`)
  return `${before}${begin}\n\n${part}\n\n${end}${rest.split(end)[1]}`
}

function table(head, rows) {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function targetTable() {
  const rows = measured.flatMap(({ name, title, contestants }) =>
    (targets[name] ?? []).flatMap(target => {
      const judged = judge(target, contestants)
      return judged === undefined
        ? []
        : [[title, `${units[target.figure]} ${judged.target}`, judged.measured, judged.reached]]
    }),
  )
  return table(['workload', 'target', 'measured', 'reached?'], rows)
}

/** What each size costs Palomino, and how often bare Node.js. */
function scaleTables() {
  return scales
    .map(({ name, title, unit, over, points }) => {
      const ours = points.map(({ contestants }) => contestants.find(contestant => contestant.name === 'palomino'))
      const figures = ['cpu', 'opening', 'rss'].filter(figure =>
        ours.some(each => each !== undefined && figure in each),
      )
      const rows = figures.map(figure => [
        units[figure],
        ...points.map(({ contestants }, index) => {
          const bare = contestants.find(contestant => contestant.name === 'bare')?.[figure]
          const value = ours[index]?.[figure] ?? ''
          return bare === undefined ? value : `${value} (${(value / bare).toFixed(2)} ×)`
        }),
      ])
      const sizes = points.map(({ at }) => at)
      return `#### \`${name}\`: ${title}\n\nCPU time is per ${unit}; in parentheses beside bare Node.js.\n\n${table([over, ...sizes], rows)}`
    })
    .join('\n\n')
}

function resultTables() {
  return measured
    .map(({ name, title, unit, contestants, rounds, processes }) => {
      const figures = Object.keys(units).filter(figure => contestants.some(contestant => figure in contestant))
      const [first] = figures
      const bare = contestants.find(contestant => contestant.name === 'bare')?.[first]
      const rows = contestants
        .toSorted((a, b) => a[first] - b[first])
        .map(contestant => [
          contestant.name === 'palomino' ? `**${contestant.title}**` : contestant.title,
          ...figures.map(figure => contestant[figure] ?? ''),
          bare === undefined ? '' : (contestant[first] / bare).toFixed(2),
          contestant.quartiles.join(' – '),
        ])
      const per = unit === undefined ? '' : ` CPU time is per ${unit}.`
      const head = ['', ...figures.map(figure => units[figure]), '× bare', 'quartiles']
      return `#### \`${name}\`: ${title}\n\n${many(processes, 'process', 'es')}, ${many(rounds, 'round', 's')} each.${per}\n\n${table(head, rows)}`
    })
    .join('\n\n')
}

function many(count, one, ending) {
  return `${count} ${one}${count === 1 ? '' : ending}`
}

function versions() {
  const [{ machine, build }] = measured
  const packages = Object.entries(results.packages).sort()
  return [
    `Palomino ${build}; Node.js ${machine.node}, ${machine.cores} × ${machine.cpu}, ${machine.memory}, Linux ${machine.system}.`,
    packages.map(([name, version]) => `${name} ${version}`).join(', '),
  ].join('\n\n')
}
