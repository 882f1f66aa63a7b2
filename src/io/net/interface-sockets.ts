import type { Interface, SharedPath } from '../../core/link.ts'
import { withZone } from '../../shared/link-local.ts'
import { FamilySockets, type SocketsHandler } from './family-sockets.ts'
import { planIpv4, planIpv6, type SocketPlan } from './socket-plan.ts'
import { isRecreated, type SystemInterface } from './system-interfaces.ts'
import type { NetOptions } from './types.ts'

/**
 * All sockets of one interface in use. If something changes that the sockets of an IP version depend on, all of them are
 * replaced. Other changes, as of a temporary IPv6 address, leave them open. So no multicast membership outlives its
 * address, and none is held twice.
 */
export class InterfaceSockets {
  #interface: SystemInterface
  #options: NetOptions
  #handler: SocketsHandler
  #ipv4: FamilySockets | undefined
  #ipv6: FamilySockets | undefined
  #rejoinInterval: number
  #rejoinAt: number

  /**
   * @param rejoinInterval ms between two joins of the same group
   * @param now monotonic ms
   */
  constructor(
    systemInterface: SystemInterface,
    options: NetOptions,
    handler: SocketsHandler,
    rejoinInterval: number,
    now: number,
  ) {
    this.#interface = systemInterface
    this.#options = options
    this.#handler = handler
    this.#rejoinInterval = rejoinInterval
    // A random time in the second half of the first interval, so that interfaces and hosts do not all rejoin at once.
    this.#rejoinAt = now + rejoinInterval * (0.5 + Math.random() / 2)
  }

  /** Opens the sockets that are not open. Resolves when each attempt has succeeded or failed. */
  async open(): Promise<void> {
    await Promise.all([this.#ipv4?.open(), this.#ipv6?.open()])
  }

  /** Opens, closes and replaces sockets as the present state of the interface requires. */
  update(systemInterface: SystemInterface): void {
    const recreated = isRecreated(this.#interface, systemInterface)
    this.#interface = systemInterface
    this.#ipv4 = this.#replace(this.#ipv4, planIpv4(systemInterface, this.#options), recreated)
    this.#ipv6 = this.#replace(this.#ipv6, planIpv6(systemInterface, this.#options), recreated)
    this.#handler.changed()
  }

  #replace(
    old: FamilySockets | undefined,
    plan: SocketPlan | undefined,
    recreated: boolean,
  ): FamilySockets | undefined {
    if (old !== undefined && old.plan.key === plan?.key && !recreated) return old
    void old?.close()
    if (plan === undefined) return undefined
    const sockets = new FamilySockets(plan, this.#handler)
    void sockets.open()
    return sockets
  }

  /** Retries the sockets that failed, and rejoins the groups when it is time. */
  tick(now: number): void {
    this.#ipv4?.retry()
    this.#ipv6?.retry()
    if (now < this.#rejoinAt) return
    this.#rejoinAt = now + this.#rejoinInterval
    this.#ipv4?.rejoin()
    this.#ipv6?.rejoin()
  }

  /** The interface as the rest of the program sees it. */
  get state(): Interface {
    const { name, ipv4, ipv6 } = this.#interface
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

  /** The shared paths that are open for sending and receiving, each with an address that receives it. */
  get openPaths(): { path: SharedPath; bound: string }[] {
    return [...(this.#ipv4?.openPaths ?? []), ...(this.#ipv6?.openPaths ?? [])]
  }

  /** An address of this interface at which another process holds the port. */
  get taken(): string | undefined {
    return this.#ipv4?.taken ?? this.#ipv6?.taken
  }

  send(path: SharedPath, bytes: Uint8Array): void {
    const sockets = path === 'multicast6' ? this.#ipv6 : this.#ipv4
    sockets?.send(path, bytes)
  }

  sendTo(address: string, port: number, bytes: Uint8Array): void {
    if (!address.includes(':')) this.#ipv4?.sendTo(address, port, bytes)
    else this.#ipv6?.sendTo(withZone(address, this.#interface.name), port, bytes)
  }

  renew(path: SharedPath): void {
    const sockets = path === 'multicast6' ? this.#ipv6 : this.#ipv4
    sockets?.renew(path)
  }

  async close(): Promise<void> {
    await Promise.all([this.#ipv4?.close(), this.#ipv6?.close()])
  }
}
