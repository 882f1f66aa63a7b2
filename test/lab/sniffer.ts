import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Feed, WAIT_TIMEOUT_MS } from './feed.ts'
import type { LabProcess } from './lab-process.ts'

/** Prefers the system's interpreter: the test user may have no access to one of a version manager. */
export const PYTHON = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'

/** Path of a script in test/lab/tools. */
export function tool(name: string): string {
  return fileURLToPath(new URL(`tools/${name}`, import.meta.url))
}

/** A captured UDP datagram. */
export interface SniffedDatagram {
  readonly interface: string
  /** True if the capturing host sent it. */
  readonly outgoing: boolean
  readonly src: string
  readonly sport: number
  readonly dst: string
  readonly dport: number
  readonly srcMac: string
  readonly dstMac: string
  /** TTL or hop limit. */
  readonly ttl: number
  /** True for the first IP fragment of a larger datagram. */
  readonly fragmented: boolean
  /** The UDP payload in hexadecimal. */
  readonly hex: string
  /** Wall-clock time of capture, seconds since 1970. */
  readonly time: number
}

/** Captures the datagrams of a UDP port with a packet socket: iterate with `for await`, or use `waitFor`. */
export class Sniffer implements AsyncIterable<SniffedDatagram>, AsyncDisposable {
  readonly process: LabProcess
  readonly #feed = new Feed<SniffedDatagram>()

  private constructor(process: LabProcess) {
    this.process = process
    void this.#read()
  }

  /** Starts tools/sniff.py. Resolves when it captures. Default for `interfaceName`: all interfaces except lo. */
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

  /** The datagrams so far, oldest first. */
  get datagrams(): readonly SniffedDatagram[] {
    return this.#feed.items
  }

  /** The first matching datagram: an earlier one, or one within `timeoutMs`. */
  waitFor(wanted: (datagram: SniffedDatagram) => boolean, timeoutMs = WAIT_TIMEOUT_MS): Promise<SniffedDatagram> {
    return this.#feed.find(wanted, timeoutMs, () => `matching datagram among the ${this.datagrams.length} seen`)
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
