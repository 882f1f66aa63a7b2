import type { Readable } from 'node:stream'
import type { ApiError, Event, Gap, ServiceEvent, Sync } from '../shared/api.ts'
import { codeOf } from '../shared/caught-error.ts'
import { Backoff, CallSignal } from './cancellation.ts'
import { EarshotError } from './error.ts'
import { EventStreamParser } from './event-stream.ts'
import type { HttpResponse } from './http.ts'
import { type ApiRequest, connectionLost, type Transport } from './transport.ts'

/** An event as the daemon sent it, and the id to resume from: empty while no event has had one. */
export type DaemonEvent = (Event | ServiceEvent | Sync | Gap) & { lastEventId: string }

/** A stream is lost after this time without a byte, ms. An idle stream carries a comment every 15 s: three are missing. */
export const MAX_SILENCE = 45_000

const HANG_UP_CODES = ['ECONNRESET', 'EPIPE']

/** Calls the daemon's HTTP API: requests with a JSON answer, and streams of events. */
export class ApiClient {
  readonly #transport: Transport
  readonly #timeout: number

  /** @param timeout the longest time for an answer, ms */
  constructor(transport: Transport, timeout: number) {
    this.#transport = transport
    this.#timeout = timeout
  }

  /**
   * Finds the daemon and returns a client that calls only this one. A long-running call needs that: while its daemon is away
   * for a moment, the answers of another daemon would be wrong. A daemon that closes the connection is too busy and is asked
   * again until the timeout.
   * @throws EarshotError EARSHOT_NO_DAEMON, EARSHOT_TIMED_OUT
   */
  async pin(signal: AbortSignal | undefined): Promise<ApiClient> {
    const backoff = new Backoff()
    const endpoint = await this.#withTimeout(this.#timeout, signal, async (callSignal) => {
      for (;;) {
        try {
          const found = await this.#transport.send({ path: '/healthz' }, callSignal)
          await readText(found.response.body)
          return found.endpoint
        } catch (error) {
          if (callSignal.aborted || !isHangUp(error)) throw error
          await backoff.pause(callSignal)
        }
      }
    })
    return new ApiClient(this.#transport.to(endpoint), this.#timeout)
  }

  /**
   * Sends a request and resolves with the JSON of the answer. The daemon may take `wait` ms longer than usual.
   * @throws EarshotError, or the signal's reason
   */
  async json<Answer extends object>(request: ApiRequest, signal: AbortSignal | undefined, wait = 0): Promise<Answer> {
    return (await this.jsonWithTag<Answer>(request, signal, wait)).value
  }

  /** As `json`, with the entity tag of the answer if it has one. */
  async jsonWithTag<Answer extends object>(
    request: ApiRequest,
    signal: AbortSignal | undefined,
    wait = 0,
  ): Promise<{ value: Answer; tag: string | undefined }> {
    return await this.#withTimeout(this.#timeout + wait, signal, async (callSignal) => {
      const { response, body } = await this.#exchange(request, callSignal)
      return { value: parseJson<Answer>(response, body), tag: response.tag }
    })
  }

  /** As `json`, for requests whose answer has no body. */
  async send(request: ApiRequest, signal: AbortSignal | undefined): Promise<void> {
    await this.#withTimeout(this.#timeout, signal, (callSignal) => this.#exchange(request, callSignal))
  }

  /** The events of one connection, which is opened for the first. Ends when the daemon closes the connection. */
  async *events(query: URLSearchParams, signal: AbortSignal | undefined): AsyncGenerator<DaemonEvent, void, void> {
    const call = new CallSignal(signal)
    let response: HttpResponse | undefined
    try {
      const sending = this.#transport.send({ path: `/v1/events?${query}`, accept: 'text/event-stream' }, call.signal)
      response = (await call.within(this.#timeout, () => timedOut(this.#timeout), sending)).response
      if (!isSuccess(response)) throw apiError(response, await readText(response.body))
      const parser = new EventStreamParser()
      const chunks: AsyncIterator<Uint8Array> = response.body[Symbol.asyncIterator]()
      for (;;) {
        // The limit applies to the silence of the daemon, not to the time that the application takes between two events.
        const { done, value } = await call.within(MAX_SILENCE, silent, chunks.next())
        if (done) return
        for (const { data, lastEventId } of parser.read(value)) {
          yield { ...parseJson<Event | ServiceEvent | Sync | Gap>(response, data), lastEventId }
        }
      }
    } catch (error) {
      call.signal.throwIfAborted()
      throw error instanceof EarshotError ? error : connectionLost(error)
    } finally {
      call.release()
      response?.body.destroy()
    }
  }

  /** @throws EarshotError when the answer is not a success */
  async #exchange(request: ApiRequest, signal: AbortSignal): Promise<{ response: HttpResponse; body: string }> {
    const { response } = await this.#transport.send(request, signal)
    const body = await readText(response.body)
    if (!isSuccess(response)) throw apiError(response, body)
    return { response, body }
  }

  async #withTimeout<Result>(
    timeout: number,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const call = new CallSignal(signal)
    try {
      return await call.within(timeout, () => timedOut(timeout), work(call.signal))
    } catch (error) {
      call.signal.throwIfAborted()
      throw error instanceof EarshotError ? error : connectionLost(error)
    } finally {
      call.release()
    }
  }
}

/** @throws the error of the body, also one from before this call */
async function readText(body: Readable): Promise<string> {
  const chunks: Buffer[] = []
  // Iterating over the body would do the same, but takes two milliseconds more of each command.
  await new Promise<void>((resolve, reject) => {
    if (body.errored) reject(body.errored)
    body.on('data', (chunk: Buffer) => chunks.push(chunk))
    body.on('end', resolve)
    body.on('error', reject)
    body.on('close', () => reject(new Error('aborted')))
  })
  return Buffer.concat(chunks).toString()
}

function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300
}

/** The error that the API reports in the body; EARSHOT_BAD_ANSWER when the body is not one of the API's errors. */
function apiError(response: HttpResponse, body: string): EarshotError {
  const { code, message } = parseJson<Partial<ApiError>>(response, body)
  if (typeof code !== 'string' || typeof message !== 'string') return badAnswer(response)
  return new EarshotError(code, message, { status: response.status })
}

/** @throws EarshotError EARSHOT_BAD_ANSWER when the text is not a JSON object */
function parseJson<Shape extends object>(response: HttpResponse, text: string): Shape {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Shape
  } catch (error) {
    throw badAnswer(response, error)
  }
  throw badAnswer(response)
}

function badAnswer({ status }: HttpResponse, cause?: unknown): EarshotError {
  const message = `the answer is not from an earshot daemon (status ${status})`
  return new EarshotError('EARSHOT_BAD_ANSWER', message, { status, cause })
}

function isHangUp(error: unknown): boolean {
  const { cause } = error instanceof EarshotError ? error : { cause: error }
  return HANG_UP_CODES.includes(codeOf(cause) ?? '')
}

function timedOut(timeout: number): EarshotError {
  return new EarshotError('EARSHOT_TIMED_OUT', `the earshot daemon did not answer within ${timeout} ms`)
}

function silent(): EarshotError {
  return new EarshotError('EARSHOT_CONNECTION_LOST', `the earshot daemon was silent for ${MAX_SILENCE} ms`)
}
