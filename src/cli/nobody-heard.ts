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
 * Says on standard error why a list may be empty or short. `everyone` tells that nothing but everyone was asked for. A
 * daemon that does not answer is no reason to fail: the list was there.
 */
export async function remarkOnSilence(daemon: Earshot, everyone: boolean, context: Context): Promise<void> {
  const { output, signal } = context
  const self = await daemon.self({ signal }).catch(() => undefined)
  const reason = self && (everyone ? whyNobody(self) : hearingFault(self))
  if (reason !== undefined) output.remark(reason)
}
