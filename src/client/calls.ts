import type { IncomingMessage } from 'node:http'
import type { Event, Gap, ServiceEvent, Sync } from '../shared/api.ts'
import { codeOf } from '../shared/caught-error.ts'
import { isSuccess, parse, readBody, refusal } from './answer.ts'
import { CallSignal } from './call-signal.ts'
import { type Daemon, lost, type Question } from './daemon.ts'
import { EarshotError } from './error.ts'
import { EventStreamParser } from './event-stream.ts'
import { Backoff } from './reconnect.ts'

/** An event as it came, and the id to resume from: empty as long as there is none. */
export type DaemonEvent = (Event | ServiceEvent | Sync | Gap) & { lastEventId: string }

/** Three of the comments by which a quiet stream shows life every 15 s, ms. */
export const LONGEST_SILENCE = 45_000

const HANG_UPS = ['ECONNRESET', 'EPIPE']

/** The daemon's API: an answer to a question, or a stream of events. */
export class Calls {
  readonly #daemon: Daemon
  readonly #timeout: number

  /** @param timeout how long an answer may take, ms */
  constructor(daemon: Daemon, timeout: number) {
    this.#daemon = daemon
    this.#timeout = timeout
  }

  /**
   * Finds the daemon now, and stays with this one: were it away for a moment, another one's answers would be no substitute.
   * One that hangs up is there, and too busy: it is asked again, as long as an answer may take.
   * @throws EarshotError EARSHOT_NO_DAEMON, EARSHOT_TIMED_OUT
   */
  async stay(signal: AbortSignal | undefined): Promise<Calls> {
    const backoff = new Backoff()
    const place = await this.#within(this.#timeout, signal, async (own) => {
      for (;;) {
        try {
          const found = await this.#daemon.ask({ path: '/healthz' }, own)
          await readBody(found.answer)
          return found.place
        } catch (error) {
          if (own.aborted || !isHangUp(error)) throw error
          await backoff.pause(own)
        }
      }
    })
    return new Calls(this.#daemon.only(place), this.#timeout)
  }

  /**
   * Asks, and resolves with the answer. It may take `wait` ms longer than other answers.
   * @throws EarshotError, or the signal's reason
   */
  async json<Answer extends object>(question: Question, signal: AbortSignal | undefined, wait = 0): Promise<Answer> {
    return (await this.tagged<Answer>(question, signal, wait)).value
  }

  /** As `json`, with the answer's entity tag if it has one. */
  async tagged<Answer extends object>(
    question: Question,
    signal: AbortSignal | undefined,
    wait = 0,
  ): Promise<{ value: Answer; tag: string | undefined }> {
    return await this.#within(this.#timeout + wait, signal, async (own) => {
      const { answer } = await this.#daemon.ask(question, own)
      const body = await readBody(answer)
      if (!isSuccess(answer)) throw refusal(answer, body)
      return { value: parse<Answer>(answer, body), tag: answer.headers.etag }
    })
  }

  /** As `json`, where success has nothing to say. */
  async send(question: Question, signal: AbortSignal | undefined): Promise<void> {
    await this.#within(this.#timeout, signal, async (own) => {
      const { answer } = await this.#daemon.ask(question, own)
      const body = await readBody(answer)
      if (!isSuccess(answer)) throw refusal(answer, body)
    })
  }

  /** Events over one connection, opened when the first is asked for; ends when the daemon ends it. */
  async *events(query: URLSearchParams, signal: AbortSignal | undefined): AsyncGenerator<DaemonEvent, void, void> {
    const call = new CallSignal(signal)
    let answer: IncomingMessage | undefined
    try {
      const asking = this.#daemon.ask({ path: `/v1/events?${query}`, accept: 'text/event-stream' }, call.signal)
      answer = (await call.within(this.#timeout, () => late(this.#timeout), asking)).answer
      if (!isSuccess(answer)) throw refusal(answer, await readBody(answer))
      const parser = new EventStreamParser()
      const chunks: AsyncIterator<Uint8Array> = answer[Symbol.asyncIterator]()
      for (;;) {
        // Only the daemon's silence counts, and not the time that the reader takes between two events.
        const { done, value } = await call.within(LONGEST_SILENCE, silent, chunks.next())
        if (done) return
        for (const { data, lastEventId } of parser.read(value)) {
          yield { ...parse<Event | ServiceEvent | Sync | Gap>(answer, data), lastEventId }
        }
      }
    } catch (error) {
      call.signal.throwIfAborted()
      throw error instanceof EarshotError ? error : lost(undefined, error)
    } finally {
      call.release()
      answer?.destroy()
    }
  }

  async #within<Result>(
    timeout: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const call = new CallSignal(signal)
    try {
      return await call.within(timeout, () => late(timeout), work(call.signal))
    } catch (error) {
      call.signal.throwIfAborted()
      throw error instanceof EarshotError ? error : lost(undefined, error)
    } finally {
      call.release()
    }
  }
}

function isHangUp(error: unknown): boolean {
  const { cause } = error instanceof EarshotError ? error : { cause: error }
  return HANG_UPS.includes(codeOf(cause) ?? '')
}

function late(timeout: number): EarshotError {
  return new EarshotError('EARSHOT_TIMED_OUT', `the earshot daemon did not answer within ${timeout} ms`)
}

function silent(): EarshotError {
  return new EarshotError('EARSHOT_CONNECTION_LOST', `the earshot daemon was silent for ${LONGEST_SILENCE} ms`)
}
