import cliTruncate from 'cli-truncate'
import stringWidth from 'string-width'
import { plain, type Style } from './style.ts'

/** A column's heading and how it looks and shrinks. Cells hold printable text of one line, without colours. */
export interface Column {
  heading: string
  /** What a cell keeps until every column is down to this, in columns of the terminal; as wide as it is unless given. */
  least?: number
  /** Colours a cell that has been cut and padded. */
  paint?: (cell: string, style: Style) => string
}

export interface TableOptions {
  /** Columns of the terminal; infinite means that nothing is cut. */
  width: number
  style?: Style
  headings?: boolean
}

const GAP = 2

/** A table for people, one string a row: no row is wider than `width`, whatever letters it holds. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, style = plain, headings = true }: TableOptions,
): string[] {
  const shown = headings ? [columns.map(({ heading }) => heading), ...rows] : rows
  const widths = fitted(columns, naturalWidths(columns, shown), width)
  return shown.map((row, position) => {
    const isHeading = headings && position === 0
    const cells = columns.map(({ paint }, at) => {
      const cell = cut(row[at] ?? '', widths[at] ?? 0)
      const colored = isHeading ? style('bold', cell) : (paint?.(cell, style) ?? cell)
      const last = at === columns.length - 1
      return last ? colored : padded(colored, widths[at] ?? 0)
    })
    // Where even single letters do not fit side by side, the end of the row has to go.
    return cut(cells.join(' '.repeat(GAP)).trimEnd(), width)
  })
}

/** The same for programs: every value whole, tabs between them. */
export function tabSeparated(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { headings = true }: { headings?: boolean } = {},
): string[] {
  const shown = headings ? [columns.map(({ heading }) => heading), ...rows] : rows
  return shown.map((row) => row.join('\t'))
}

/** Text cut to so many columns of the terminal, `…` at its end where something is missing. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  if (width < 1) return ''
  const shorter = cliTruncate(text, width)
  // cli-truncate lets a letter of two columns stand where only one is left: then that letter has to go.
  return stringWidth(shorter) <= width ? shorter : cliTruncate(text, width - 1)
}

/** Text with spaces after it up to so many columns of the terminal; longer text as it is. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - stringWidth(text)))
}

function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map((_, at) => rows.reduce((most, row) => Math.max(most, stringWidth(row[at] ?? '')), 0))
}

/**
 * Takes from the widest column that can still give, one by one, until all fit or each is down to `least`; then from the
 * right, since a table begins with what names a row.
 */
function fitted(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural]
  const limit = columns.map(({ least }, at) => least ?? natural[at] ?? 0)
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP * (columns.length - 1) - width
  while (excess > 0) {
    const widest = widestAbove(widths, limit)
    if (widest === undefined) break
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
  for (let at = columns.length - 1; at >= 0 && excess > 0; at--) {
    const given = Math.min(excess, Math.max(0, (widths[at] ?? 0) - 1))
    widths[at] = (widths[at] ?? 0) - given
    excess -= given
  }
  return widths
}

function widestAbove(widths: readonly number[], limit: readonly number[]): number | undefined {
  let widest: number | undefined
  for (const [at, width] of widths.entries()) {
    if (width > (limit[at] ?? 0) && (widest === undefined || width > (widths[widest] ?? 0))) widest = at
  }
  return widest
}
