// A Net in a process of its own, for the lab: beats on every path, says as JSON lines what it hears and what it is told.
// Run `npm run build` first: it uses dist/. Arguments: its text, the port, then interface patterns to include.
// Standard input: `renew <interface> <path>`, `once <interface> <path>`, `status`, `to <interface> <address> <port>`,
// `flood <interface> <start of addresses> <base of the rest> <count>`, `say <text>`, `stop`.
import { createInterface } from 'node:readline'
import { Net } from '../../../../dist/io/net/net.js'

const [text = 'x', port = '15353', ...include] = process.argv.slice(2)
const tell = (kind, what) => console.log(JSON.stringify({ kind, ...what }))
const net = new Net(
  {
    port: Number(port),
    group4: '239.255.153.53',
    group6: 'ff12::153:53',
    include,
    exclude: undefined,
    sharedPort: process.env.SHARED === '1',
  },
  {
    pollInterval: Number(process.env.LOOK ?? 500),
    rejoinInterval: Number(process.env.RENEW ?? 120_000),
  },
)
net.on('datagram', (bytes, heard) => tell('heard', { text: Buffer.from(bytes).toString(), ...heard }))
net.on('interfaces', (interfaces) => tell('interfaces', { interfaces }))
net.on('fault', (fault) => tell('fault', { ...fault, error: fault.error.message }))
net.on('recovered', (path) => tell('recovered', path))
process.on('uncaughtException', (error) => tell('uncaught', { error: String(error.stack) }))

try {
  await net.open()
  tell('open', { interfaces: net.interfaces })
} catch (error) {
  tell('refused', { code: error.code, error: error.message })
}

let words = text
const beat = () => {
  for (const { name, paths } of net.interfaces) for (const path of paths) net.send(name, path, Buffer.from(words))
}
const timer = setInterval(beat, Number(process.env.BEAT ?? 100))

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [order, ...rest] = line.split(' ')
  if (order === 'renew') net.renew(rest[0], rest[1])
  if (order === 'status') tell('status', net.status())
  if (order === 'to') net.sendTo(rest[0], rest[1], Number(rest[2]), Buffer.from(`${words} to`))
  if (order === 'flood') {
    for (let i = 10; i < 10 + Number(rest[3]); i++) {
      net.sendTo(rest[0], rest[1] + i.toString(Number(rest[2])), 15353, Buffer.alloc(1000))
    }
  }
  if (order === 'once') net.send(rest[0], rest[1], Buffer.from(words))
  if (order === 'say') words = rest[0]
  if (order !== 'stop') return
  clearInterval(timer)
  await net.close()
  tell('closed', {})
  process.stdin.destroy()
})
