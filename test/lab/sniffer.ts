import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Feed } from './feed.ts'
import type { LabProcess } from './lab-process.ts'

/** Debian's own interpreter where there is one: a version manager's may not be readable for the user who tests. */
export const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'

/** Path of a script in test/lab/tools. */
export function tool(name: string): string {
  return fileURLToPath(new URL(`tools/${name}`, import.meta.url))
}

/** A UDP datagram as it was on the wire. */
export interface SniffedDatagram {
  readonly interface: string
  /** Sent by this very host. */
  readonly outgoing: boolean
  readonly src: string
  readonly sport: number
  readonly dst: string
  readonly dport: number
  readonly srcMac: string
  readonly dstMac: string
  /** TTL or hop limit. */
  readonly ttl: number
  /** It was cut up by IP, and this is its first piece. */
  readonly fragmented: boolean
  /** The payload. */
  readonly hex: string
  /** Wall clock, seconds since 1970. */
  readonly time: number
}

/** Everything that a packet socket sees of a UDP port: `for await (const datagram of sniffer)`, or `waitFor`. */
export class Sniffer implements AsyncIterable<SniffedDatagram>, AsyncDisposable {
  readonly process: LabProcess
  readonly #feed = new Feed<SniffedDatagram>()

  private constructor(process: LabProcess) {
    this.process = process
    void this.#read()
  }

  /** Starts tools/sniff.py; resolves when it listens. Without `interfaceName` it listens on all but lo. */
  static async start(
    start: (command: string, args: readonly string[]) => Promise<LabProcess>,
    port: number,
    interfaceName?: string,
  ): Promise<Sniffer> {
    const where = interfaceName === undefined ? [] : [interfaceName]
    const process = await start(PYTHON, ['-u', tool('sniff.py'), String(port), ...where])
    await process.waitForLine(/"ready"/)
    return new Sniffer(process)
  }

  /** What it has seen so far, oldest first. */
  get datagrams(): readonly SniffedDatagram[] {
    return this.#feed.items
  }

  /** The first wanted datagram, seen already or to come within `timeoutMs` (default 15,000). */
  waitFor(wanted: (datagram: SniffedDatagram) => boolean, timeoutMs = 15_000): Promise<SniffedDatagram> {
    return this.#feed.find(wanted, timeoutMs, () => `wanted datagram among the ${this.datagrams.length} seen`)
  }

  [Symbol.asyncIterator](): AsyncIterator<SniffedDatagram> {
    return this.#feed[Symbol.asyncIterator]()
  }

  async close(): Promise<void> {
    await this.process.kill()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #read(): Promise<void> {
    for await (const { stream, text } of this.process.lines) {
      if (stream === 'stdout' && !text.includes('"ready"')) this.#feed.push(JSON.parse(text) as SniffedDatagram)
    }
    this.#feed.end()
  }
}
