// Receives the datagrams of a segment on the same sockets as the daemon, and does nothing with them. Arguments: an IPv4 address of the interface, its
// broadcast address, its name.
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'

const [address, broadcast, name] = process.argv.slice(2)
const port = 15353
const linkLocal = networkInterfaces()[name].find((each) => each.address.startsWith('fe80')).address
const open = (type, at, join) => {
  const socket = createSocket({ type, reuseAddr: true })
  socket.on('message', () => {})
  socket.bind({ port, address: at }, () => join?.(socket))
}
open('udp4', broadcast)
open('udp4', address)
open('udp4', '239.255.153.53', (socket) => socket.addMembership('239.255.153.53', address))
open('udp6', `ff12::153:53%${name}`, (socket) => socket.addMembership('ff12::153:53', `::%${name}`))
open('udp6', `${linkLocal}%${name}`)
