const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A span of time for people, in its largest unit: `0.4s`, `12s`, `3m`, `2h`, `4d`. Negative spans count as none. */
export function span(milliseconds: number): string {
  const ms = Math.max(0, milliseconds)
  if (ms < 9950) return `${(ms / SECOND).toFixed(1)}s`
  if (ms < MINUTE) return `${Math.floor(Math.max(ms, 10 * SECOND) / SECOND)}s`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h`
  return `${Math.floor(ms / DAY)}d`
}

/** How long ago an ISO 8601 time was, at `now` (ms since 1970). */
export function since(time: string, now: number): string {
  return span(now - Date.parse(time))
}

/** The local date and time of an ISO 8601 time, to the second. */
export function localTime(time: string): string {
  return `${localDate(time)} ${clockTime(time)}`
}

/** The local time of day of an ISO 8601 time, to the second. */
export function clockTime(time: string): string {
  const date = new Date(time)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
}

function localDate(time: string): string {
  const date = new Date(time)
  return `${date.getFullYear()}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}
