/** One of the doors of the build that is measured. Another may be of a time when its modules were published as they are. */
export function door(name) {
  const rooms = process.env.PALOMINO?.includes('/dist/package/') ? '' : 'logs/'
  return import(new URL(`${rooms}${name}.js`, `file://${process.env.PALOMINO}`))
}
