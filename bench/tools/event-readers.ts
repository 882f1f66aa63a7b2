import { connect } from 'node:net'

/**
 * Many readers of a daemon's events in one process. Arguments: the path of its socket, the number of readers. Prints `ready` when all of them
 * read. For each change of a peer, prints the wall-clock time at which the last reader had it, ms.
 */
const [path = '', count = '1'] = process.argv.slice(2)
const readers = Number(count)
let reading = 0
let told = 0

for (let reader = 0; reader < readers; reader++) {
  const socket = connect(path, () => socket.write('GET /v1/events HTTP/1.1\r\nHost: bench\r\n\r\n'))
  socket.on('data', (bytes) => {
    if (bytes.includes('event: sync')) {
      reading++
      if (reading === readers) console.log('ready')
    } else if (bytes.includes('event: peer-')) {
      told++
      if (told % readers === 0) console.log(`last ${performance.timeOrigin + performance.now()}`)
    }
  })
  socket.on('close', () => {
    console.error('the daemon has closed a connection')
    process.exit(1)
  })
}
