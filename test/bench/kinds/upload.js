/** One large file after the other. */
export async function prepare({ server, load }) {
  await load.ask('upload', { port: server.ready.port, bytes: 5e6 })
}

export async function round({ server, load }, { bytes }) {
  const before = await server.ask('cpu')
  const { milliseconds } = await load.ask('upload', { port: server.ready.port, bytes })
  const cpu = (await server.ask('cpu')) - before
  return { cpu: cpu / (bytes / 1e6), speed: bytes / 1e6 / (milliseconds / 1000) }
}

export async function finish({ server }) {
  return { peak: (await server.ask('peak')) / 1e6 }
}
