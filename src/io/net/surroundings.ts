import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { type Choice, choose, type Wishes } from './choose.ts'
import { readInterfaces, type SystemInterface } from './interfaces.ts'
import { type AddressTrouble, readAddressTroubles, readDefaultDevices } from './proc.ts'

const DEVICES = '/sys/class/net'

/** What the system says of interfaces, and which of them are to be used. */
export class Surroundings {
  readonly #wishes: Wishes
  #seen = ''
  #troubles: ReadonlyMap<string, ReadonlyMap<string, AddressTrouble>> = new Map()
  /** The choice depended on them. */
  #needsRoutes = false
  interfaces: Map<string, SystemInterface> = new Map()
  choice: Choice = { used: [], leftOut: [] }

  constructor(wishes: Wishes) {
    this.#wishes = wishes
  }

  /** Looks again; says whether anything has changed. What cannot be read (no descriptor left, say) stays as it was. */
  look(): boolean {
    let listing: ReturnType<typeof networkInterfaces>
    try {
      listing = networkInterfaces()
    } catch {
      return false
    }
    const troubles = readAddressTroubles() ?? this.#troubles
    const routes = this.#needsRoutes ? readDefaultDevices() : undefined
    const seen = JSON.stringify([listing, Array.from(troubles, ([name, of]) => [name, [...of]]), routes && [...routes]])
    if (seen === this.#seen) return false
    this.#seen = seen
    this.#troubles = troubles
    this.interfaces = readInterfaces(listing, troubles, exists)
    this.#needsRoutes = false
    this.choice = choose(this.interfaces.keys(), this.#wishes, {
      defaultDevices: () => {
        this.#needsRoutes = true
        return routes ?? readDefaultDevices()
      },
      exists,
    })
    return true
  }

  /** The IPv6 address of an interface that another machine has as well, if that is what is wrong with it. */
  duplicateOf(name: string): string | undefined {
    const linkLocal = this.interfaces.get(name)?.linkLocal
    if (linkLocal === undefined) return undefined
    return this.#troubles.get(name)?.get(linkLocal) === 'duplicate' ? linkLocal : undefined
  }
}

function exists(name: string): boolean | undefined {
  return existsSync(DEVICES) ? existsSync(`${DEVICES}/${name}`) : undefined
}
