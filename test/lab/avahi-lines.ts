interface InstanceLine {
  readonly interface: string
  readonly protocol: 'IPv4' | 'IPv6'
  /** Instance name, `My Printer` */
  readonly name: string
  readonly type: string
  /** Time at which the line was read: `performance.now()`, in milliseconds. */
  readonly at: number
}

/** An instance has appeared or disappeared. */
export interface ChangeLine extends InstanceLine {
  readonly change: 'new' | 'gone'
}

export interface ResolvedLine extends InstanceLine {
  readonly change: 'resolved'
  readonly hostname: string
  readonly address: string
  readonly port: number
  /** The TXT strings, sorted. avahi-browse prints them in reverse order. */
  readonly txt: readonly string[]
}

/** A parsed line of `avahi-browse -p`. */
export type BrowseLine = ChangeLine | ResolvedLine

/** Parses a line of `avahi-browse -p`. Returns undefined for any other line. TXT strings must not contain quotes. */
export function parseBrowseLine(text: string, at: number): BrowseLine | undefined {
  const [sign, on = '', protocol, name = '', type = '', , hostname = '', address = '', port = '', ...rest] =
    text.split(';')
  if (protocol !== 'IPv4' && protocol !== 'IPv6') return undefined
  const instance = { interface: on, protocol, name: unescapeLabel(name), type, at } as const
  if (sign === '+' || sign === '-') return { ...instance, change: sign === '+' ? 'new' : 'gone' }
  if (sign !== '=') return undefined
  const txt = Array.from(rest.join(';').matchAll(/"([^"]*)"/g), ([, string = '']) => string).sort()
  return { ...instance, change: 'resolved', hostname, address, port: Number(port), txt }
}

/** Decodes `My\032Pr\.inter`: `\ddd` is a byte in decimal, and a backslash escapes a special character. */
function unescapeLabel(label: string): string {
  const bytes = Array.from(label.matchAll(/\\(\d{3})|\\?(.)/gsu), ([, code, character = '']) =>
    code === undefined ? Buffer.from(character) : Buffer.from([Number(code)]),
  )
  return Buffer.concat(bytes).toString()
}
