const PER_SECOND = 1000
let heldSecond = Number.NaN
let heldText = ''

/**
 * A time in ms since 1970 as ISO 8601 in UTC, to the millisecond; the same text as `Date.prototype.toISOString`.
 * A list of peers holds tens of thousands of times out of the same few seconds, so the second last written is kept.
 */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms)
  const second = Math.floor(whole / PER_SECOND)
  if (second !== heldSecond) {
    heldText = new Date(second * PER_SECOND).toISOString().slice(0, -4)
    heldSecond = second
  }
  const rest = whole - second * PER_SECOND
  return `${heldText}${rest < 10 ? '00' : rest < 100 ? '0' : ''}${rest}Z`
}
