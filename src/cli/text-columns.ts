import type { Column } from './format.ts'
import { plain, type Style } from './terminal.ts'
import { cut, widthOf } from './text-width.ts'

/** Text in columns for people. Widths are counted in columns of the terminal: call `loadWidths` first. */

/** Text padded with spaces to a width. Longer text stays as it is. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

const INDENT = '  '
const GAP = '  '

/** A label with its value. A list of values takes one line each. */
export type Field = readonly [label: string, value: string | readonly string[] | undefined]

/** Fields one below the other, their values aligned. Empty and undefined values are left out. */
export function fieldLines(fields: readonly Field[]): string[] {
  const rows = fields.flatMap(([label, value]) => {
    const values = typeof value === 'string' ? [value] : (value ?? [])
    return values.filter((one) => one !== '').map((one, at) => [at === 0 ? label : '', one] as const)
  })
  return alignedLines(rows)
}

/** Rows with aligned columns, indented. Cells are printable text. */
export function alignedLines(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, widthOf(cell))
  }
  return rows.map((row) => {
    const cells = row.map((cell, at) => padded(cell, widths[at] ?? 0))
    return (INDENT + cells.join(GAP)).trimEnd()
  })
}

/** An empty line, a heading and the lines below it; nothing if there are no lines. */
export function section(heading: string, lines: readonly string[], style: Style): string[] {
  return lines.length === 0 ? [] : ['', style('bold', heading), ...lines]
}

interface TableOptions {
  /** No row is wider. Infinite: nothing is cut. */
  width: number
  style?: Style
  headings?: boolean
}

/** A table for people, with one string for each row. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, style = plain, headings = true }: TableOptions,
): string[] {
  const shown = headings ? [columns.map(({ heading }) => heading), ...rows] : rows
  const widths = shrunkWidths(columns, naturalWidths(columns, shown), width)
  return shown.map((row, position) => {
    const isHeading = headings && position === 0
    const cells = columns.map(({ paint }, at) => {
      const cell = cut(row[at] ?? '', widths[at] ?? 0)
      const colored = isHeading ? style('bold', cell) : (paint?.(cell, style) ?? cell)
      const isLast = at === columns.length - 1
      return isLast ? colored : padded(colored, widths[at] ?? 0)
    })
    // On very narrow terminals not even columns of one character fit.
    return cut(cells.join(GAP).trimEnd(), width)
  })
}

function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map((_, at) => rows.reduce((max, row) => Math.max(max, widthOf(row[at] ?? '')), 0))
}

/**
 * Shrinks the widest column that is above its `minWidth`, step by step, until the row fits or no column is left. After
 * that it shrinks from the right, because the first column names the row.
 */
function shrunkWidths(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural]
  const minWidths = columns.map(({ minWidth }, at) => minWidth ?? natural[at] ?? 0)
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP.length * (columns.length - 1) - width
  while (excess > 0) {
    const widest = widestAbove(widths, minWidths)
    if (widest === undefined) break
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
  for (let at = columns.length - 1; at >= 0 && excess > 0; at--) {
    const taken = Math.min(excess, Math.max(0, (widths[at] ?? 0) - 1))
    widths[at] = (widths[at] ?? 0) - taken
    excess -= taken
  }
  return widths
}

function widestAbove(widths: readonly number[], minWidths: readonly number[]): number | undefined {
  let widest: number | undefined
  for (const [at, width] of widths.entries()) {
    if (width > (minWidths[at] ?? 0) && (widest === undefined || width > (widths[widest] ?? 0))) widest = at
  }
  return widest
}
