import { Feed, WAIT_TIMEOUT_MS } from './feed.ts'
import type { LabProcess } from './lab-process.ts'
import { PYTHON, tool } from './sniffer.ts'

export interface ZeroconfService {
  /** Instance name, `My Printer` */
  readonly name: string
  readonly type: string
  readonly port: number
  readonly txt: Readonly<Record<string, string>>
  /** `printer.local` */
  readonly hostname: string
  readonly addresses: readonly string[]
}

interface Instance {
  readonly name: string
  readonly type: string
  /** Time at which the event was read: `performance.now()`, in milliseconds. */
  readonly at: number
}

/** A change that the ServiceBrowser reports, or a resolved instance. */
export type ZeroconfEvent =
  | (Instance & { readonly event: 'added' | 'updated' | 'removed' })
  | (Instance & ZeroconfService & { readonly event: 'resolved' })

/** A real python3-zeroconf on a host (tools/zeroconf_host.py). */
export class Zeroconf implements AsyncDisposable {
  readonly process: LabProcess
  readonly #feed = new Feed<ZeroconfEvent>()
  #queue: Promise<void> = Promise.resolve()

  private constructor(process: LabProcess) {
    this.process = process
    void this.#read()
  }

  /** Starts it. Resolves when its sockets are open. */
  static async start(start: (command: string, args: readonly string[]) => Promise<LabProcess>): Promise<Zeroconf> {
    const process = await start(PYTHON, ['-u', tool('zeroconf_host.py')])
    await process.waitForLine(/"ready"/)
    return new Zeroconf(process)
  }

  /** The events so far, oldest first. */
  get events(): readonly ZeroconfEvent[] {
    return this.#feed.items
  }

  /** The first matching event: an earlier one from index `from` on, or one within `timeoutMs`. */
  waitFor(wanted: (event: ZeroconfEvent) => boolean, timeoutMs = WAIT_TIMEOUT_MS, from = 0): Promise<ZeroconfEvent> {
    const output = (): string =>
      this.process.lines.items
        .slice(-10)
        .map(({ text }) => text)
        .join('\n  ')
    return this.#feed.find(wanted, timeoutMs, () => `matching event of zeroconf; its output:\n  ${output()}`, from)
  }

  /** Starts a ServiceBrowser for a type (`_ipp._tcp`). It adds to `events`. */
  browse(type: string): Promise<void> {
    return this.#command({ do: 'browse', type })
  }

  /** Probes and announces. Resolves after three announcements. `hostTtl`: TTL of SRV, A and AAAA records, seconds. */
  publish(service: ZeroconfService & { readonly hostTtl?: number }): Promise<void> {
    return this.#command({ do: 'publish', ...service })
  }

  /** Announces a new TXT record of a published service. */
  update(service: Pick<ZeroconfService, 'name' | 'type' | 'txt'>): Promise<void> {
    return this.#command({ do: 'update', ...service })
  }

  /** Sends goodbyes for a published service. Resolves after three of them. */
  withdraw(service: Pick<ZeroconfService, 'name' | 'type'>): Promise<void> {
    return this.#command({ do: 'withdraw', name: service.name, type: service.type })
  }

  /** Sends goodbyes for all services and ends the process. */
  async close(): Promise<void> {
    if (this.process.running) await this.#command({ do: 'close' }).catch(() => {})
    await this.process.kill()
  }

  /** Sends SIGKILL: it cannot send goodbyes. */
  async kill(): Promise<void> {
    await this.process.kill()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #command(command: object): Promise<void> {
    const act = async (): Promise<void> => {
      const from = this.process.lines.items.length
      this.process.write(`${JSON.stringify(command)}\n`)
      const answer = await this.process.waitForLine(/"event": "(done|error)"/, 15_000, from)
      if (answer.includes('"error"'))
        throw new Error(`zeroconf failed to execute ${JSON.stringify(command)}: ${answer}`)
    }
    // One command at a time: answers have no number.
    const turn = this.#queue.then(act)
    this.#queue = turn.catch(() => {})
    return turn
  }

  async #read(): Promise<void> {
    for await (const { stream, text, at } of this.process.lines) {
      if (stream !== 'stdout' || !/"event": "(added|updated|removed|resolved)"/.test(text)) continue
      this.#feed.push({ ...(JSON.parse(text) as ZeroconfEvent), at })
    }
    this.#feed.end()
  }
}
