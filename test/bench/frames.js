/** The frames that a CPU profile spends the most time in by themselves: `npm run bench -- frames a.cpuprofile …`. */
import { readFileSync } from 'node:fs'

const MOST = 15

for (const path of process.argv.slice(2)) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8'))
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const spent = new Map()
  samples.forEach((id, index) => {
    const name = names.get(id)
    if (name !== '(idle)') spent.set(name, (spent.get(name) ?? 0) + timeDeltas[index])
  })
  const all = [...spent.values()].reduce((sum, time) => sum + time, 0)
  console.log(path)
  for (const [name, time] of [...spent].sort(([, a], [, b]) => b - a).slice(0, MOST))
    console.log(`${((time / all) * 100).toFixed(1).padStart(5)} %  ${name}`)
}

function nameOf({ functionName, url, lineNumber }) {
  const place = url.split('/').slice(-2).join('/')
  return place === '' ? functionName : `${functionName || '(anonymous)'} ${place}:${lineNumber + 1}`
}
