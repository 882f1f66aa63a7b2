import { printable, type Style } from './terminal.ts'

/** How times, numbers, facts and tables for programs are written. */

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A time span in its largest unit: `0.4s`, `12s`, `3m`, `2h`, `4d`. Negative spans are `0.0s`. */
export function spanText(milliseconds: number): string {
  const ms = Math.max(0, milliseconds)
  if (ms < 9950) return `${(ms / SECOND).toFixed(1)}s`
  if (ms < MINUTE) return `${Math.floor(Math.max(ms, 10 * SECOND) / SECOND)}s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h`
  return `${Math.floor(ms / DAY)}d`
}

/** How long ago an ISO 8601 time was, at `now` (ms since 1970). */
export function ageText(time: string, now: number): string {
  return spanText(now - Date.parse(time))
}

/** Local date and time of an ISO 8601 time, to the second. */
export function localTime(time: string): string {
  const date = new Date(time)
  const day = `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`
  return `${day} ${clockTime(time)}`
}

/** Local time of day of an ISO 8601 time, to the second. */
export function clockTime(time: string): string {
  const date = new Date(time)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}

/** A whole number with separators: `12,345`. (Node's own way loads the data of all languages, which takes 20 ms.) */
export function countText(number: number): string {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** Measured milliseconds: `0.42 ms`, `12 ms`. */
export function millisecondsText(milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : Math.round(milliseconds)} ms`
}

/** A name with its values, as `show` and `status` print it in a pipe. */
export type Fact = readonly (string | number | boolean)[]

/** One fact as a line: its fields separated by tabs, every field printable. */
export function factLine(fact: Fact): string {
  return fact.map((field) => printable(String(field))).join('\t')
}

/** A heading and the facts below it; nothing if there are no facts. */
export function factSection(heading: string, facts: readonly Fact[]): Fact[] {
  return facts.length === 0 ? [] : [[heading], ...facts]
}

/** A column of a table. Its cells hold one line of printable text without colours. */
export interface Column {
  heading: string
  /** The width to which cells may be cut. Without it they are cut only if the other columns cannot shrink further. */
  minWidth?: number
  /** Colours a cell, after it has been cut and before it is padded. */
  paint?: (cell: string, style: Style) => string
}

/** A table for programs: whole values, separated by tabs. */
export function tabSeparated(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { headings = true }: { headings?: boolean } = {},
): string[] {
  const shown = headings ? [columns.map(({ heading }) => heading), ...rows] : rows
  return shown.map((row) => row.join('\t'))
}
