import type { Interface, SharedPath } from '../../core/link.ts'
import { withZone } from '../../shared/link-local.ts'
import { FamilySockets, type SocketsOwner } from './family-sockets.ts'
import { isRemade, type SystemInterface } from './interfaces.ts'
import { type Plan, planIpv4, planIpv6 } from './plan.ts'
import type { NetOptions } from './types.ts'

/**
 * All sockets of one interface in use. Those of an IP version are made anew as a whole when what they depend on changes
 * and are left alone when it does not (a temporary IPv6 address that comes and goes concerns none), so that no
 * membership outlives its address and none is held twice.
 */
export class InterfaceSockets {
  #about: SystemInterface
  #options: NetOptions
  #owner: SocketsOwner
  #ipv4: FamilySockets | undefined
  #ipv6: FamilySockets | undefined
  #renewEvery: number
  #renewAt: number

  /**
   * @param renewEvery ms between two joins of the same group
   * @param now monotonic ms
   */
  constructor(about: SystemInterface, options: NetOptions, owner: SocketsOwner, renewEvery: number, now: number) {
    this.#about = about
    this.#options = options
    this.#owner = owner
    this.#renewEvery = renewEvery
    // Somewhere in the second half of the first period: interfaces do not all renew at once, nor do hosts.
    this.#renewAt = now + renewEvery * (0.5 + Math.random() / 2)
  }

  /** Opens what is not open; resolves when it is known which sockets could be. */
  async open(): Promise<void> {
    await Promise.all([this.#ipv4?.open(), this.#ipv6?.open()])
  }

  /** Opens, closes and replaces sockets so that they fit the interface as it is now. */
  update(about: SystemInterface): void {
    const remade = isRemade(this.#about, about)
    this.#about = about
    this.#ipv4 = this.#replace(this.#ipv4, planIpv4(about, this.#options), remade)
    this.#ipv6 = this.#replace(this.#ipv6, planIpv6(about, this.#options), remade)
    this.#owner.changed()
  }

  #replace(old: FamilySockets | undefined, plan: Plan | undefined, remade: boolean): FamilySockets | undefined {
    if (old !== undefined && old.plan.key === plan?.key && !remade) return old
    void old?.close()
    if (plan === undefined) return undefined
    const sockets = new FamilySockets(plan, this.#owner)
    void sockets.open()
    return sockets
  }

  /** Retries what failed, and joins the groups again when that is due. */
  tick(now: number): void {
    this.#ipv4?.retry()
    this.#ipv6?.retry()
    if (now < this.#renewAt) return
    this.#renewAt = now + this.#renewEvery
    this.#ipv4?.rejoin()
    this.#ipv6?.rejoin()
  }

  get inUse(): Interface {
    const { name, ipv4, ipv6 } = this.#about
    const unbindable = [...(this.#ipv4?.unbindable ?? []), ...(this.#ipv6?.unbindable ?? [])]
    const addresses = [
      ...ipv4.map(({ address }) => ({ address, family: 'ipv4' as const })),
      ...ipv6.map(({ address }) => ({ address, family: 'ipv6' as const })),
    ]
    return {
      name,
      addresses: addresses.filter(({ address }) => !unbindable.includes(address)),
      paths: [...new Set(this.openPaths.map(({ path }) => path))],
    }
  }

  /** The open shared paths with the addresses that are listened on. */
  get openPaths(): { path: SharedPath; bound: string }[] {
    return [...(this.#ipv4?.paths ?? []), ...(this.#ipv6?.paths ?? [])]
  }

  /** An address of ours that another process holds. */
  get taken(): string | undefined {
    return this.#ipv4?.taken ?? this.#ipv6?.taken
  }

  send(path: SharedPath, bytes: Uint8Array): void {
    const sockets = path === 'multicast6' ? this.#ipv6 : this.#ipv4
    sockets?.send(path, bytes)
  }

  sendTo(address: string, port: number, bytes: Uint8Array): void {
    if (!address.includes(':')) this.#ipv4?.sendTo(address, port, bytes)
    else this.#ipv6?.sendTo(withZone(address, this.#about.name), port, bytes)
  }

  renew(path: SharedPath): void {
    const sockets = path === 'multicast6' ? this.#ipv6 : this.#ipv4
    sockets?.renew(path)
  }

  async close(): Promise<void> {
    await Promise.all([this.#ipv4?.close(), this.#ipv6?.close()])
  }
}
