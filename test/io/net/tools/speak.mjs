// Runs a Net in a separate process, for lab tests. It sends its text on every path repeatedly, and prints received
// datagrams and events of the Net as JSON lines. It uses test/built, which the tests build first.
// Arguments: the text, the port, then patterns of interfaces to include.
// Commands on standard input: `renew <interface> <path>`, `once <interface> <path>`, `status`,
// `to <interface> <address> <port>`, `flood <interface> <address prefix> <number base of the suffix> <count>`,
// `say <text>`, `stop`.
import { createInterface } from 'node:readline'
import { InterfaceMonitor } from '../../../built/io/net/interface-monitor.js'
import { Net } from '../../../built/io/net/net.js'

const [text = 'x', port = '15353', ...include] = process.argv.slice(2)
const report = (kind, what) => console.log(JSON.stringify({ kind, ...what }))
const options = {
  port: Number(port),
  group4: '239.255.153.53',
  group6: 'ff12::153:53',
  include,
  exclude: undefined,
  sharedPort: process.env.SHARED === '1',
}
const monitor = new InterfaceMonitor(options, Number(process.env.LOOK ?? 500))
const net = new Net(options, monitor, Number(process.env.RENEW ?? 120_000))
net.on('datagram', (bytes, heard) => report('heard', { text: Buffer.from(bytes).toString(), ...heard }))
net.on('interfaces', (interfaces) => report('interfaces', { interfaces }))
net.on('fault', (fault) => report('fault', { ...fault, error: fault.error.message }))
net.on('recovered', (path) => report('recovered', path))
process.on('uncaughtException', (error) => report('uncaught', { error: String(error.stack) }))

try {
  await net.open()
  report('open', { interfaces: net.interfaces })
} catch (error) {
  report('refused', { code: error.code, error: error.message })
}

let message = text
let beats = 0
const beat = () => {
  beats++
  for (const { name, paths } of net.interfaces) for (const path of paths) net.send(name, path, Buffer.from(message))
}
const timer = setInterval(beat, Number(process.env.BEAT ?? 100))

createInterface({ input: process.stdin }).on('line', async (line) => {
  const [command, ...rest] = line.split(' ')
  if (command === 'renew') net.renew(rest[0], rest[1])
  if (command === 'status') report('status', { ...net.status(), beats })
  if (command === 'to') net.sendTo(rest[0], rest[1], Number(rest[2]), Buffer.from(`${message} to`))
  if (command === 'flood') {
    for (let i = 10; i < 10 + Number(rest[3]); i++) {
      net.sendTo(rest[0], rest[1] + i.toString(Number(rest[2])), 15353, Buffer.alloc(1000))
    }
  }
  if (command === 'once') net.send(rest[0], rest[1], Buffer.from(message))
  if (command === 'say') message = rest[0]
  if (command !== 'stop') return
  clearInterval(timer)
  await net.close()
  report('closed', {})
  process.stdin.destroy()
})
