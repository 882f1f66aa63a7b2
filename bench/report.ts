import { compared, type Figure, type Goal, passes } from './figures.ts'

const HEADER = ['figure', 'measured', 'bare Node', 'ratio', 'goal', '']

/** Formats figures as lines of a table with a header. */
export function table(figures: readonly Figure[], short: boolean): string[] {
  const rows = [HEADER, ...figures.map((figure) => cells(figure, short))]
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => [...(row[column] ?? '')].length)))
  return rows.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column === 0))
      .join('  ')
      .trimEnd(),
  )
}

function cells(figure: Figure, short: boolean): string[] {
  const { what, unit, measured, reference, goal } = figure
  return [
    what,
    `${number(measured)} ${unit}`,
    reference === undefined ? '' : `${number(reference)} ${unit}`,
    reference === undefined ? '' : number(compared(figure)),
    goal ? goalText(goal, reference === undefined ? ` ${unit}` : '', short) : '',
    goal ? (passes(figure, short) ? 'pass' : 'MISS') : '',
  ]
}

function goalText({ limit, short: wide, atLeast }: Goal, unit: string, short: boolean): string {
  const sign = atLeast ? '≥' : '≤'
  return short ? `${sign} ${wide}${unit} (full: ${limit})` : `${sign} ${limit}${unit}`
}

/** Three significant digits. */
function number(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

function pad(text: string, width: number, left: boolean): string {
  const spaces = ' '.repeat(Math.max(0, width - [...text].length))
  return left ? text + spaces : spaces + text
}
