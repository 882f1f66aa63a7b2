import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/**
 * Measures the control API of `api-server.ts` from another process, so that reading the answers does not count as work of the server. Argument: the
 * path of the socket.
 *
 * Prints one JSON text a line. First `{"ready":true}`. Then it answers lines on standard input:
 * - `get PATH`: sends a request on a new connection. Prints `{"status":CODE,"ms":MS,"bytes":BYTES,"etag":TEXT}`: the time from the request to the last byte.
 * - `get PATH ETAG`: the same with `If-None-Match`.
 * - `read COUNT PATH…`: opens event streams, with the paths in turn. Prints `{"readers":COUNT}` when all are synchronised.
 * - `wait INDEX`: waits for the newest event. Prints `{"first":MS,"last":MS}`, the times at which the first and the last reader had the event with this index, in ms of
 *   `process.hrtime()`, which all processes of a machine share.
 * It ends when standard input ends.
 */
const [, , socket = 'api.sock'] = process.argv

/** A connection with a request on it. */
function ask(path: string, headers = ''): Socket {
  const connection = connect(socket)
  connection.on('error', () => {})
  connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`)
  return connection
}

function now(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

async function get(path: string, etag: string | undefined): Promise<object> {
  const connection = connect(socket)
  await once(connection, 'connect')
  const begin = now()
  const condition = etag === undefined ? '' : `If-None-Match: ${etag}\r\n`
  connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${condition}\r\n`)
  const chunks: Buffer[] = []
  let end: AnswerEnd | undefined
  for await (const chunk of connection) {
    chunks.push(chunk)
    end ??= AnswerEnd.of(chunk)
    if (end.isReached(chunk)) break
  }
  const ms = now() - begin
  connection.destroy()
  const answer = Buffer.concat(chunks)
  const head = answer.toString('latin1', 0, answer.indexOf('\r\n\r\n'))
  return {
    status: Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1]),
    ms,
    bytes: answer.length,
    etag: /^etag: (.*)$/im.exec(head)?.[1],
  }
}

/** Finds the end of an answer without reading its body. */
class AnswerEnd {
  #left: number
  readonly #isChunked: boolean

  private constructor(left: number, isChunked: boolean) {
    this.#left = left
    this.#isChunked = isChunked
  }

  /** From the first bytes of an answer, which have all of its headers. */
  static of(first: Buffer): AnswerEnd {
    const length = first.indexOf('\r\n\r\n') + 4
    const head = first.toString('latin1', 0, length)
    const [, content = '0'] = /^content-length: (\d+)/im.exec(head) ?? []
    return new AnswerEnd(length + Number(content), /^transfer-encoding: chunked/im.test(head))
  }

  isReached(chunk: Buffer): boolean {
    this.#left -= chunk.length
    return this.#isChunked ? chunk.subarray(-5).toString('latin1') === '0\r\n\r\n' : this.#left <= 0
  }
}

/** The times at which readers had an event, by its index. */
const arrivals = new Map<number, number[]>()
let synchronised = 0
let wake = () => {}

function read(path: string): void {
  let rest = ''
  ask(path)
    .setEncoding('latin1')
    .on('data', (text: string) => {
      const time = now()
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === 'event: sync') synchronised++
        const [, index] = /^id: .*-(\d+)$/.exec(line) ?? []
        if (index === undefined) continue
        const times = arrivals.get(Number(index)) ?? []
        times.push(time)
        arrivals.set(Number(index), times)
      }
      wake()
    })
}

async function until(met: () => boolean): Promise<void> {
  while (!met()) {
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
}

let readers = 0
print({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument = '', ...more] = line.split(' ')
  if (command === 'get') print(await get(argument, more[0]))
  if (command === 'read') {
    readers += Number(argument)
    for (let number = 0; number < Number(argument); number++) {
      read(more[number % more.length] ?? '/v1/events')
      // A listener may have fewer places for connections that wait.
      if (number % 100 === 99) await until(() => synchronised > number - 100)
    }
    await until(() => synchronised === readers)
    print({ readers })
  }
  if (command === 'wait') {
    const index = Number(argument)
    await until(() => arrivals.get(index)?.length === readers)
    const times = arrivals.get(index) ?? []
    arrivals.clear()
    print({ first: Math.min(...times), last: Math.max(...times) })
  }
}
process.exit()

function print(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}
