import type { ServerResponse } from 'node:http'
import { TooManyReaders } from '../../shared/errors.ts'
import { EventReader, type ReaderOptions } from './event-reader.ts'
import { EventText } from './event-text.ts'
import { gathered } from './gathered.ts'
import type { Station } from './station.ts'

export interface ReadersOptions {
  /** Readers at the same time, on both transports together. */
  most: number
  /** As many of them may be on loopback: it is open to every user of this machine, and must not keep the others off. */
  mostOnLoopback: number
  /** How often a quiet connection shows life, ms. */
  keepAliveMs: number
  /** A reader that has not read for this long and has fallen off the journal is cut off, ms. */
  cutOffMs: number
}

export const READERS: ReadersOptions = { most: 1024, mostOnLoopback: 768, keepAliveMs: 15_000, cutOffMs: 30_000 }

/** Everyone who reads events now. */
export class EventReaders {
  readonly #station: Station
  readonly #options: ReadersOptions
  readonly #text: EventText
  readonly #readers = new Set<EventReader>()
  readonly #stopListening: () => void
  readonly #clock: NodeJS.Timeout
  #onLoopback = 0

  constructor(station: Station, options: ReadersOptions) {
    this.#station = station
    this.#options = options
    this.#text = new EventText(station)
    this.#stopListening = station.onChange(
      gathered(() => {
        for (const reader of this.#readers) reader.advance()
      }),
    )
    this.#clock = setInterval(() => {
      for (const reader of this.#readers) reader.keepAlive(options.cutOffMs)
    }, options.keepAliveMs).unref()
  }

  /** @throws TooManyReaders when one more is too many */
  refuseOverLimit(onLoopback: boolean): void {
    const { most, mostOnLoopback } = this.#options
    if (this.#readers.size >= most) throw new TooManyReaders(most)
    if (onLoopback && this.#onLoopback >= mostOnLoopback) throw new TooManyReaders(mostOnLoopback)
  }

  /** Gives a response whose head is written to a new reader, until either side ends it. */
  add(out: ServerResponse, onLoopback: boolean, options: ReaderOptions): void {
    const reader = new EventReader(out, this.#station, this.#text, options)
    this.#readers.add(reader)
    this.#onLoopback += Number(onLoopback)
    out.once('close', () => {
      this.#readers.delete(reader)
      this.#onLoopback -= Number(onLoopback)
    })
    // The reader went away while being written to, which is its right: 'close' follows.
    out.on('error', () => {})
    reader.advance()
  }

  /** Writes the last changes to everyone who reads, and ends every stream. */
  close(): void {
    this.#stopListening()
    clearInterval(this.#clock)
    for (const reader of this.#readers) reader.end()
  }
}
