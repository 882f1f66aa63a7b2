import type { Peer } from '../../src/client/index.ts'

export const AT = '2026-11-21T09:00:00.000Z'

/** A peer that is alive and offers a web server, except for what is given. */
export function somePeer(name: string, given: Partial<Peer> = {}): Peer {
  return {
    id: `${name}aaaaaaaaaaaaaaaaaaaaaaaaaa`.slice(0, 26),
    name,
    state: 'alive',
    source: 'beacon',
    hostname: `${name}.lan`,
    addresses: [{ address: '192.168.1.20', family: 'ipv4', interface: 'eth0' }],
    services: [{ id: 'web', name: 'Web', type: '_http._tcp', port: 8080, txt: {}, subtypes: [] }],
    attributes: {},
    version: '1.0.0',
    incarnation: 7,
    recordVersion: 1,
    intervalMs: 1000,
    firstSeen: AT,
    lastSeen: AT,
    paths: [{ interface: 'eth0', path: 'broadcast', lastHeard: AT }],
    beacons: { heard: 1, lost: 0 },
    jitterMs: 0,
    flapping: false,
    history: [{ at: AT, state: 'alive' }],
    ...given,
  }
}
