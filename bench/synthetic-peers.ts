import { setTimeout as delay } from 'node:timers/promises'
import type { LabProcess } from '../test/lab/lab-process.ts'
import type { Machine, RunningDaemon } from './scene.ts'

/** The longest time of a command, ms. */
const TIMEOUT = 120_000
/** A daemon accepts 512 peers of one source address, and 250 signatures a second of it. */
const PEERS_PER_ADDRESS = 100
/** A daemon checks 500 signatures of unknown peers a second. */
const RECORDS_PER_SECOND = 400

const MAX_APPEARANCES = 5
/** Until the daemon has taken all datagrams, ms. */
const SETTLE_MS = 1000

/** Peers that send what the benchmark tells them to (tools/synthetic-peers.ts). */
export class SyntheticPeers {
  readonly #process: LabProcess
  readonly #count: number

  private constructor(process: LabProcess, count: number) {
    this.#process = process
    this.#count = count
  }

  /** Starts `count` peers on a machine. Each can send this number of beats with `send`. */
  static async on(machine: Machine, count: number, beats: number): Promise<SyntheticPeers> {
    const number = Math.ceil(count / PEERS_PER_ADDRESS)
    const addresses = Array.from({ length: number }, (_, index) => `10.77.1.${100 + index}`)
    for (const address of addresses) await machine.host.addAddress('eth0', address)
    const args = [machine.lan.broadcast, count, beats + MAX_APPEARANCES, ...addresses].map(String)
    return new SyntheticPeers(await machine.tool('synthetic-peers', ...args), count)
  }

  /** Every peer sends its record and a beat, again if a datagram is lost, until the daemon knows all. Rejects if it never does. */
  async appearTo(daemon: RunningDaemon): Promise<void> {
    for (let attempt = 0; attempt < MAX_APPEARANCES; attempt++) {
      await this.#tell(`records ${RECORDS_PER_SECOND}`)
      await delay(SETTLE_MS)
      if ((await daemon.alive()) >= this.#count) return
    }
    throw new Error(`the daemon knows only ${await daemon.alive()} of ${this.#count} peers`)
  }

  /** Encodes `each` beats of every peer for `send`. */
  prepare(each: number): Promise<void> {
    return this.#tell(`prepare ${each}`)
  }

  /** Sends the beats, `burst` at a time, with a pause of `pause` ms after each burst. */
  send(burst: number, pause: number): Promise<void> {
    return this.#tell(`send ${burst} ${pause}`)
  }

  /** One peer changes its record. */
  change(peer: number): Promise<void> {
    return this.#tell(`change ${peer}`)
  }

  async #tell(command: string): Promise<void> {
    const from = this.#process.lines.items.length
    this.#process.write(`${command}\n`)
    await this.#process.waitForLine(/^done$/, TIMEOUT, from)
  }
}
