interface Place {
  readonly interface: string
  readonly protocol: 'IPv4' | 'IPv6'
  /** Instance name, `My Printer` */
  readonly name: string
  readonly type: string
  /** `performance.now()` in milliseconds when the line was read. */
  readonly at: number
}

/** An instance has come or gone. */
export interface ChangeLine extends Place {
  readonly change: 'new' | 'gone'
}

export interface ResolvedLine extends Place {
  readonly change: 'resolved'
  readonly hostname: string
  readonly address: string
  readonly port: number
  /** The strings, sorted: avahi-browse tells them last one first. */
  readonly txt: readonly string[]
}

/** What a line of `avahi-browse -p` says. */
export type BrowseLine = ChangeLine | ResolvedLine

/** Takes a line of `avahi-browse -p` apart; undefined when it is none. TXT strings have to be free of quotes. */
export function parseBrowseLine(text: string, at: number): BrowseLine | undefined {
  const [sign, on = '', protocol, name = '', type = '', , hostname = '', address = '', port = '', ...rest] =
    text.split(';')
  if (protocol !== 'IPv4' && protocol !== 'IPv6') return undefined
  const place = { interface: on, protocol, name: unescaped(name), type, at } as const
  if (sign === '+' || sign === '-') return { ...place, change: sign === '+' ? 'new' : 'gone' }
  if (sign !== '=') return undefined
  const txt = Array.from(rest.join(';').matchAll(/"([^"]*)"/g), ([, string = '']) => string).sort()
  return { ...place, change: 'resolved', hostname, address, port: Number(port), txt }
}

/** `My\032Pr\.inter` as it is: bytes in decimal, and characters of meaning behind a backslash. */
function unescaped(label: string): string {
  const bytes = Array.from(label.matchAll(/\\(\d{3})|\\?(.)/gsu), ([, code, character = '']) =>
    code === undefined ? Buffer.from(character) : Buffer.from([Number(code)]),
  )
  return Buffer.concat(bytes).toString()
}
