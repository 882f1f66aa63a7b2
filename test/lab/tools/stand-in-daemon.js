// A minimal imitation of earshotd for the lab's own tests: arguments, log, socket, and three calls of the API.
import { rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

const options = Object.fromEntries(
  ['name', 'state-dir', 'socket', 'http', 'log-format'].map((name) => [name, { type: 'string' }]),
)
const { values } = parseArgs({ options })
const peers = [{ id: 'p1', name: 'kitchen', state: 'alive' }]
const answers = { '/v1/peers': { peers }, '/v1/self': { id: 'self', name: values.name, state: 'alive' } }

const server = createServer((request, response) => {
  if (request.url?.startsWith('/v1/events')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`: hello\n\nid: e:1\nevent: sync\ndata: {"since":\ndata: "${request.headers['last-event-id']}"}\n\n`)
    response.write('id: e:2\nevent: peer-')
    setImmediate(() => response.write('up\r\ndata: {}\r\n\r\ndata: plain\n\n'))
    return
  }
  const answer = answers[request.url?.split('?')[0] ?? '']
  response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer ?? { error: 'not found' }))
})
process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeAllConnections()
})
rmSync(values.socket, { force: true })
server.listen(values.socket, () => console.log(JSON.stringify({ level: 'info', msg: 'ready' })))
setTimeout(() => peers.push({ id: 'p2', name: 'studio', state: 'alive' }), 120)
