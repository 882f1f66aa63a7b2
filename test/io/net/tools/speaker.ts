import { fileURLToPath } from 'node:url'
import type { DatagramSource, Interface } from '../../../../src/core/link.ts'
import type { NetStatus } from '../../../../src/io/net/types.ts'
import type { Host, LabProcess } from '../../../lab/index.ts'

const SCRIPT = fileURLToPath(new URL('speak.mjs', import.meta.url))

/** The status of the Net, and how many times the speaker has sent its text on every path. */
export interface SpeakerStatus extends NetStatus {
  beats: number
}

/** What a speaker says of its Net, one line of JSON each. */
export type Said =
  | ({ kind: 'heard'; text: string } & DatagramSource)
  | { kind: 'interfaces' | 'open'; interfaces: Interface[] }
  | { kind: 'fault'; interface: string; path: string; error: string }
  | { kind: 'recovered'; interface: string; path: string }
  | { kind: 'uncaught'; error: string }
  | ({ kind: 'status' } & SpeakerStatus)
  | { kind: 'closed' }

/** A Net in a lab host that says one text on all its paths ten times a second, unless told otherwise. */
export class Speaker {
  readonly process: LabProcess

  private constructor(process: LabProcess) {
    this.process = process
  }

  /** Resolves when the Net is open. Needs `test/built`. */
  static async start(
    host: Host,
    text: string,
    options: { include?: string[]; env?: Record<string, string> } = {},
  ): Promise<Speaker> {
    const args = [SCRIPT, text, '15353', ...(options.include ?? [])]
    const process = await host.spawn(globalThis.process.execPath, args, { env: options.env ?? {}, what: 'speaker' })
    await process.waitForLine(/"kind":"open"/)
    return new Speaker(process)
  }

  /** Where the next line will be. */
  get here(): number {
    return this.process.lines.items.length
  }

  /** Gives an order, one line. */
  order(line: string): void {
    this.process.write(`${line}\n`)
  }

  /** All that was said from a place on. */
  said(from = 0): Said[] {
    return this.process.lines.items.slice(from).map(({ text }) => JSON.parse(text) as Said)
  }

  /** All that was said of some kinds from a place on, for comparing. */
  told(from: number, ...kinds: Said['kind'][]): Said[] {
    return this.said(from).filter(({ kind }) => kinds.includes(kind))
  }

  /** Waits until this text is heard on this interface and path. */
  async hears(
    text: string,
    name: string,
    path: DatagramSource['path'],
    timeoutMs = 2000,
    from = this.here,
  ): Promise<DatagramSource> {
    const pattern = new RegExp(`"kind":"heard","text":"${text}","interface":"${name}","path":"${path}"`)
    return JSON.parse(await this.process.waitForLine(pattern, timeoutMs, from)) as DatagramSource
  }

  /** Waits until a text is heard on all of these `interface path`. */
  async hearsAll(text: string, where: readonly string[], timeoutMs = 2000): Promise<void> {
    const from = this.here
    await Promise.all(
      where.map((one) => {
        const [name = '', path] = one.split(' ')
        return this.hears(text, name, path as DatagramSource['path'], timeoutMs, from)
      }),
    )
  }

  async status(): Promise<SpeakerStatus> {
    const from = this.here
    this.order('status')
    return JSON.parse(await this.process.waitForLine(/"kind":"status"/, 10_000, from)) as SpeakerStatus
  }
}
