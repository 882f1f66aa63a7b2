// Offers a service as long as this runs, and prints the peers that offer one of the type, as they come (+) and go (-):
//   earshot.ts NAME TYPE PORT        for example: earshot.ts Shop http 8080
// Beside a node_modules that has earshot, Node 22.18 and newer run it as it is: node earshot.ts Shop http 8080
// Node 20 does not read TypeScript: npx tsx earshot.ts Shop http 8080
// See docs/CLIENT.md.
import { Earshot, EarshotError } from 'earshot'

const [name = 'Shop', type = 'http', port = '8080'] = process.argv.slice(2)
const earshot = new Earshot()
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
process.once('SIGTERM', () => stop.abort())

// Renewed as long as this runs, registered again when the daemon restarts, until it is closed.
const published = await earshot.publish({ name, type, port: Number(port) }).catch((error: unknown) => {
  if (!(error instanceof EarshotError)) throw error
  console.error(`earshot.ts: ${error.message}`)
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
