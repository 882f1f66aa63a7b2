import stringWidth from 'string-width'
import type { Style } from './style.ts'
import { padded } from './table.ts'

/** A named value; a value of several lines goes on under itself. */
export type Field = readonly [label: string, value: string | readonly string[] | undefined]

const INDENT = '  '
const GAP = '  '

/** Labels and values, the values aligned; what is undefined or empty is left out. */
export function fields(entries: readonly Field[]): string[] {
  const lines = entries.flatMap(([label, value]) => {
    const values = typeof value === 'string' ? [value] : (value ?? [])
    return values.filter((one) => one !== '').map((one, at) => [at === 0 ? label : '', one] as const)
  })
  return aligned(lines)
}

/** Rows with their columns aligned and indented. Cells are printable text. */
export function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, stringWidth(cell))
  }
  return rows.map((row) => {
    const cells = row.map((cell, at) => padded(cell, widths[at] ?? 0))
    return (INDENT + cells.join(GAP)).trimEnd()
  })
}

/** A heading with its lines under it, and an empty line before; nothing where there are no lines. */
export function section(heading: string, lines: readonly string[], style: Style): string[] {
  return lines.length === 0 ? [] : ['', style('bold', heading), ...lines]
}

/** A whole number for people: `12,345`. */
export function counted(number: number): string {
  return number.toLocaleString('en')
}

/** Milliseconds as measured: `0.42 ms`, `12 ms`. */
export function measured(milliseconds: number): string {
  return `${milliseconds < 10 ? milliseconds.toFixed(2) : Math.round(milliseconds)} ms`
}

/** `3 of 16,384`, and when there is room for no more, that. */
export function limitText({ now, most }: { now: number; most: number }, style: Style, unit = ''): string {
  const text = `${counted(now)} of ${counted(most)}${unit}`
  return now >= most ? style('red', `${text} (full)`) : text
}
