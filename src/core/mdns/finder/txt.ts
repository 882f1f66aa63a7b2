/** A key that ours may be (src/core/wire/record.ts). */
const TXT_KEY = /^(?!__proto__$)[!-~]{1,64}$/

/**
 * The pairs that TXT strings tell (RFC 6763, section 6): a key alone has the value '', of two that are the same, case
 * aside, the first counts, and what is not UTF-8 is replaced. Keys that ours may not be are left out.
 */
export function readTxt(strings: readonly Uint8Array[]): Record<string, string> {
  const txt: Record<string, string> = {}
  const seen = new Set<string>()
  for (const string of strings) {
    const text = Buffer.from(string).toString('utf8')
    const equals = text.indexOf('=')
    const key = equals === -1 ? text : text.slice(0, equals)
    if (!TXT_KEY.test(key) || seen.has(key.toLowerCase())) continue
    seen.add(key.toLowerCase())
    txt[key] = equals === -1 ? '' : text.slice(equals + 1)
  }
  return txt
}
