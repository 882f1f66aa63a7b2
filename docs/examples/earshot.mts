// Offers a service while this program runs, and prints peers with a service of this type as they come (+) and go (-):
//   earshot.mts NAME TYPE PORT
// Copy it into a project that has earshot installed (see docs/CLIENT.md), and run it there:
//   node earshot.mts Shop http 8080        Node 22.18 and newer
//   npx tsx earshot.mts Shop http 8080     Node 20, which does not read TypeScript
import { Earshot, EarshotError } from 'earshot'

const [name = 'Shop', type = 'http', port = '8080'] = process.argv.slice(2)
const earshot = new Earshot()
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())

// The client renews the service, and registers it again when the daemon restarts, until it is closed.
const published = await earshot.publish({ name, type, port: Number(port) }).catch((error: unknown) => {
  if (!(error instanceof EarshotError)) throw error
  console.error(`earshot.mts: ${error.message}`)
  process.exit(error.code === 'EARSHOT_NO_DAEMON' ? 3 : 1)
})
try {
  for await (const change of earshot.watch({ service: type }, { signal: stop.signal })) {
    if (change.type === 'service-up') {
      console.log('+', change.peer.name, change.peer.addresses[0]?.address, change.service.port)
    } else if (change.type === 'service-down') {
      console.log('-', change.peer.name)
    }
  }
} catch (error) {
  if (!stop.signal.aborted) throw error
} finally {
  await published.close()
}
