import type { LabProcess } from './lab-process.ts'
import { PYTHON, tool } from './sniffer.ts'
import { BEACON_PORT } from './traffic.ts'

/** A datagram to send, with any source address. */
export interface ForgedDatagram {
  readonly src: string
  readonly dst: string
  /** The bytes, or their hexadecimal form. */
  readonly payload: Uint8Array | string
  /** Default: the beacon port. */
  readonly sport?: number
  /** Default: the beacon port. */
  readonly dport?: number
  /** The sending interface. Default: eth0. */
  readonly interface?: string
  /** Default: the multicast MAC address for a multicast `dst`, otherwise broadcast (ff:ff:ff:ff:ff:ff). */
  readonly dstMac?: string
  /** Default: the MAC address of the interface. */
  readonly srcMac?: string
  /** TTL or hop limit. Default: 1. */
  readonly ttl?: number
  /** How many times to send it, without delay. Default: 1. */
  readonly count?: number
}

/** Sends forged datagrams (tools/inject.py). */
export class Injector {
  #process: LabProcess
  #queue: Promise<void> = Promise.resolve()

  private constructor(process: LabProcess) {
    this.#process = process
  }

  static async start(start: (command: string, args: readonly string[]) => Promise<LabProcess>): Promise<Injector> {
    return new Injector(await start(PYTHON, ['-u', tool('inject.py')]))
  }

  /** Sends one datagram (`count` times). Resolves when it is sent. Rejects if it cannot be built or sent. */
  send(datagram: ForgedDatagram, timeoutMs = 30_000): Promise<void> {
    const act = (): Promise<void> => this.#send(datagram, timeoutMs)
    // One request at a time: answers have no number.
    this.#queue = this.#queue.then(act, act)
    return this.#queue
  }

  async #send({ payload, ...datagram }: ForgedDatagram, timeoutMs: number): Promise<void> {
    const hex = typeof payload === 'string' ? payload : Buffer.from(payload).toString('hex')
    const defaults = { interface: 'eth0', sport: BEACON_PORT, dport: BEACON_PORT }
    const before = this.#process.lines.items.length
    this.#process.write(`${JSON.stringify({ ...defaults, ...datagram, hex })}\n`)
    const answer = await this.#process.waitForLine(/"(sent|error)"/, timeoutMs, before)
    if (answer.includes('"error"')) throw new Error(`cannot inject a datagram to ${datagram.dst}: ${answer}`)
  }
}
