import { Feed } from './feed.ts'
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
  /** `performance.now()` in milliseconds when it was read. */
  readonly at: number
}

/** What the ServiceBrowser told, or what an instance was resolved to then. */
export type ZeroconfEvent =
  | (Instance & { readonly event: 'added' | 'updated' | 'removed' })
  | (Instance & ZeroconfService & { readonly event: 'resolved' })

/** A real python3-zeroconf in a host (tools/zeroconf_host.py). */
export class Zeroconf implements AsyncDisposable {
  readonly process: LabProcess
  readonly #feed = new Feed<ZeroconfEvent>()
  #queue: Promise<void> = Promise.resolve()

  private constructor(process: LabProcess) {
    this.process = process
    void this.#read()
  }

  /** Resolves when its sockets are open. */
  static async start(start: (command: string, args: readonly string[]) => Promise<LabProcess>): Promise<Zeroconf> {
    const process = await start(PYTHON, ['-u', tool('zeroconf_host.py')])
    await process.waitForLine(/"ready"/)
    return new Zeroconf(process)
  }

  /** What it has told so far, oldest first. */
  get events(): readonly ZeroconfEvent[] {
    return this.#feed.items
  }

  /** The first wanted event, told already (from index `from` on) or to come within `timeoutMs` (default 15,000). */
  waitFor(wanted: (event: ZeroconfEvent) => boolean, timeoutMs = 15_000, from = 0): Promise<ZeroconfEvent> {
    const said = (): string =>
      this.process.lines.items
        .slice(-10)
        .map(({ text }) => text)
        .join('\n  ')
    return this.#feed.find(wanted, timeoutMs, () => `wanted event of zeroconf; it said:\n  ${said()}`, from)
  }

  /** Starts a ServiceBrowser for the type (`_ipp._tcp`): see `events`. */
  browse(type: string): Promise<void> {
    return this.#order({ do: 'browse', type })
  }

  /** Probes and announces, and resolves when it has announced three times. `hostTtl`: of SRV, A and AAAA, seconds. */
  publish(service: ZeroconfService & { readonly hostTtl?: number }): Promise<void> {
    return this.#order({ do: 'publish', ...service })
  }

  /** Announces another TXT of what it publishes. */
  update(service: Pick<ZeroconfService, 'name' | 'type' | 'txt'>): Promise<void> {
    return this.#order({ do: 'update', ...service })
  }

  /** Says goodbye for what it publishes; resolves when it has done so three times. */
  withdraw(service: Pick<ZeroconfService, 'name' | 'type'>): Promise<void> {
    return this.#order({ do: 'withdraw', name: service.name, type: service.type })
  }

  /** Says goodbye for everything and ends. */
  async close(): Promise<void> {
    if (this.process.running) await this.#order({ do: 'close' }).catch(() => {})
    await this.process.kill()
  }

  /** SIGKILL: it cannot say goodbye. */
  async kill(): Promise<void> {
    await this.process.kill()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #order(order: object): Promise<void> {
    const act = async (): Promise<void> => {
      const from = this.process.lines.items.length
      this.process.write(`${JSON.stringify(order)}\n`)
      const answer = await this.process.waitForLine(/"event": "(done|error)"/, 15_000, from)
      if (answer.includes('"error"')) throw new Error(`zeroconf did not ${JSON.stringify(order)}: ${answer}`)
    }
    // In turn: answers carry no number.
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
