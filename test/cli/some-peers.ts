import type { OfferedService, Peer, Self } from '../../src/client/index.ts'

/** The current time in these tests, ms since 1970. */
export const NOW = Date.parse('2026-11-21T09:14:10.000Z')

export function ago(milliseconds: number): string {
  return new Date(NOW - milliseconds).toISOString()
}

export const someService: OfferedService = {
  id: 'shop',
  name: 'Shop',
  type: '_http._tcp',
  port: 8080,
  txt: { path: '/' },
  subtypes: ['_printer'],
}

/** A typical peer, with the differences that a test needs. */
export function somePeer(differences: Partial<Peer> = {}): Peer {
  return {
    id: 'k3vq7m2xa4aaaaaaaaaaaaaaaa',
    name: 'kitchen',
    state: 'alive',
    source: 'beacon',
    hostname: 'kitchen.lan',
    addresses: [
      { address: 'fe80::1%eth0', family: 'ipv6', interface: 'eth0' },
      { address: '192.168.1.20', family: 'ipv4', interface: 'eth0' },
    ],
    services: [someService, { id: 'mqtt', name: 'MQTT', type: '_mqtt._tcp', port: 1883, txt: {}, subtypes: [] }],
    attributes: { status: 'idle', temperature: 21.5 },
    version: '1.0.0',
    incarnation: 1_795_250_000,
    recordVersion: 3,
    intervalMs: 1000,
    firstSeen: ago(850_000),
    lastSeen: ago(400),
    paths: [
      { interface: 'eth0', path: 'unicast', lastHeard: ago(600) },
      { interface: 'eth0', path: 'multicast6', address: 'fe80::1%eth0', lastHeard: ago(400) },
      { interface: 'eth0', path: 'multicast4', address: '192.168.1.20', lastHeard: ago(400) },
      { interface: 'eth0', path: 'broadcast', lastHeard: ago(400) },
    ],
    beacons: { heard: 851, lost: 2 },
    jitterMs: 1.25,
    rttMs: 0.4,
    flapping: false,
    history: [{ at: ago(850_000), state: 'alive' }],
    ...differences,
  }
}

export const studio = somePeer({
  id: 'zzvq7m2xa4aaaaaaaaaaaaaaaa',
  name: 'studio',
  state: 'suspect',
  addresses: [{ address: '192.168.1.44', family: 'ipv4', interface: 'eth0' }],
  services: [{ id: 'osc', name: 'OSC', type: '_osc._udp', port: 9000, txt: {}, subtypes: [] }],
  lastSeen: ago(3800),
  paths: [{ interface: 'eth0', path: 'broadcast', address: '192.168.1.44', lastHeard: ago(3800) }],
  history: [
    { at: ago(850_000), state: 'alive' },
    { at: ago(300), state: 'suspect' },
  ],
})

/** A printer that was found by mDNS. */
export const printer = somePeer({
  id: 'printer.local',
  name: 'Office printer',
  source: 'mdns',
  hostname: 'printer.local',
  addresses: [{ address: '192.168.1.60', family: 'ipv4', interface: 'eth0' }],
  services: [{ ...someService, id: 'Office._ipp._tcp', name: 'Office', type: '_ipp._tcp', port: 631, source: 'mdns' }],
  attributes: {},
  version: '',
  incarnation: 0,
  recordVersion: 0,
  intervalMs: 0,
  lastSeen: ago(40_000),
  paths: [
    { interface: 'wlan0', path: 'mdns', lastHeard: ago(90_000) },
    { interface: 'eth0', path: 'mdns', lastHeard: ago(40_000) },
  ],
  beacons: { heard: 0, lost: 0 },
  jitterMs: 0,
})

/** A name with characters that would harm a terminal: escape sequences, line breaks, a reversed reading direction. */
export const NASTY_NAME = 'evil\u001b[2J\u009b31m\r\nroot\u202egnp.exe\u007f'

export const someSelf: Self = {
  id: 'own77m2xa4aaaaaaaaaaaaaaaa',
  name: 'desk',
  hostname: 'desk.lan',
  version: '0.1.0',
  incarnation: 1_795_250_001,
  recordVersion: 1,
  intervalMs: 1000,
  services: [
    { ...someService, id: 'shop', source: 'api', expiresAt: ago(-60_000) },
    {
      ...someService,
      id: 'osc',
      name: 'OSC',
      type: '_osc._udp',
      source: 'file',
      file: '/etc/earshot/services.d/osc.toml',
    },
  ],
  badFiles: [{ file: '/etc/earshot/services.d/bad.toml', error: '3:1: port is missing' }],
  attributes: { status: 'busy' },
  epoch: '9f3c1d',
  index: 1842,
  pid: 4711,
  startedAt: ago(7_300_000),
  port: 15353,
  socket: '/run/earshot/control.sock',
  http: '127.0.0.1:15353',
  stateDir: '/var/lib/earshot',
  interfaces: [
    {
      name: 'eth0',
      addresses: [{ address: '192.168.1.5', family: 'ipv4' }],
      paths: [
        { path: 'broadcast', lastEcho: ago(300), deaf: false },
        { path: 'multicast4', lastEcho: ago(60_000), deaf: true },
        { path: 'multicast6', deaf: false, fault: 'send ENETUNREACH' },
      ],
    },
  ],
  leftOut: [{ name: 'docker0', cause: 'excluded', pattern: 'docker*', reason: 'excluded by docker*' }],
  counters: {
    received: { beat: 12_345, record: 3 },
    sent: { beat: 9 },
    refused: { stale: 2, 'bad-magic': 0 },
    dropped: { unicast: 0, shared: 0 },
  },
  limits: { peers: { now: 3, most: 16_384 }, recordBytes: { now: 67_108_864, most: 67_108_864 } },
  mdns: {
    hostname: 'own77m2xa4.local',
    publications: [
      { id: 'shop', name: 'Shop', type: '_http._tcp', state: 'published' },
      { id: 'osc', name: 'OSC (2)', type: '_osc._udp', state: 'probing' },
    ],
    browsing: ['_earshot._udp', '_http._tcp'],
    limits: {
      hosts: { now: 7, most: 1024, full: [] },
      services: { now: 20, most: 4096, full: ['10.0.0.66'] },
      txtBytes: { now: 900, most: 2_097_152, full: [] },
    },
    interfaces: [{ name: 'eth0', paths: [{ path: 'multicast4' }, { path: 'multicast6', fault: 'no address' }] }],
    counters: { received: 1234, sent: 56, dropped: 0, unsent: 0 },
  },
}
