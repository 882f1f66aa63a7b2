// Decimal, as network rates are: 256kbit is 256000 bits per second.
const UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1000, mbit: 1_000_000, gbit: 1_000_000_000 }
const RATE = /^(\d{1,12}(?:\.\d{1,9})?)(bit|kbit|mbit|gbit)?$/

/** A rate such as `256kbit`, `1.5mbit` or `256000` in whole bits per second; undefined when it is not one. */
export function parseRate(text: string): number | undefined {
  const [, number = '', unit = 'bit'] = RATE.exec(text) ?? []
  const factor = UNITS[unit]
  return number === '' || factor === undefined ? undefined : Math.round(Number(number) * factor)
}
