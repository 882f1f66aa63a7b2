const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const DURATION = /^(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h)$/

/** Parses a duration such as `500ms`, `2s`, `1.5m` or `1h` to whole milliseconds. Undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, number = '', unit = ''] = DURATION.exec(text) ?? []
  const factor = UNITS[unit]
  return factor === undefined ? undefined : Math.round(Number(number) * factor)
}

/** Writes whole milliseconds (0 or more) in the largest unit that needs no fraction: 90000 is `90s`, 120000 is `2m`. */
export function formatDuration(milliseconds: number): string {
  for (const unit of ['h', 'm', 's']) {
    const factor = UNITS[unit] ?? 1
    if (milliseconds > 0 && milliseconds % factor === 0) return `${milliseconds / factor}${unit}`
  }
  return `${milliseconds}ms`
}
