import type { Earshot, Self } from '../client/index.ts'
import type { Context } from './command.ts'
import { printable } from './printable.ts'

/**
 * What keeps this machine from hearing anybody, and what to do, in one sentence; undefined when its daemon hears its own
 * beacons on some path.
 */
export function hearingFault({ interfaces, leftOut, port }: Self): string | undefined {
  if (interfaces.length === 0) {
    const reasons = leftOut.map(({ name, reason }) => `${printable(name)}: ${printable(reason)}`).join('; ')
    const use = "to use one, start earshotd with --interface NAME; 'earshot status' shows all"
    return `nobody can be heard: no network interface is in use${reasons && ` (${reasons})`} (${use})`
  }
  const paths = interfaces.flatMap((each) => each.paths.map((path) => ({ ...path, name: each.name })))
  if (!paths.every(({ deaf, fault }) => deaf || fault !== undefined)) return undefined
  const faulty = paths.find(({ fault }) => fault !== undefined)
  if (faulty?.fault !== undefined) {
    return `nobody can be heard: sending on ${printable(faulty.name)} fails: ${printable(faulty.fault)} (see 'earshot status')`
  }
  if (paths.length === 0) return undefined
  const open = `ufw allow ${port}/udp, or firewall-cmd --add-port=${port}/udp`
  return `this machine does not hear its own beacons: a firewall may drop UDP port ${port} (${open}; see 'earshot status')`
}

/** Why a list of everyone is empty: a fault of this machine, or else that nobody else is heard, and what to look at. */
export function whyNobody(self: Self): string {
  const names = self.interfaces.map(({ name }) => printable(name)).join(', ')
  return (
    hearingFault(self) ??
    `nobody else is heard on ${names} (earshotd has to run on the others, and their firewalls to let in UDP port ${self.port})`
  )
}

/**
 * Says on standard error why a list is empty or short: what keeps this machine from hearing anybody, or that nobody else
 * is heard. Says nothing where others are heard, and just none of them is what was asked for. A daemon that does not
 * answer is no reason to fail: the list was there.
 */
export async function remarkOnSilence(daemon: Earshot, { output, signal }: Context): Promise<void> {
  const asked = Promise.all([daemon.self({ signal }), daemon.peers({}, { signal })])
  const [self, others] = (await asked.catch(() => undefined)) ?? []
  if (!self || !others) return
  const reason = others.peers.length === 0 ? whyNobody(self) : hearingFault(self)
  if (reason !== undefined) output.remark(reason)
}
