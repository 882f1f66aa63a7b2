/**
 * A text as an id: in lower case, without accents, with one hyphen in place of each run of other characters than ASCII
 * letters and digits. Has at most `length` characters; empty when the text has neither letters nor digits.
 */
export function slug(text: string, length: number): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, length)
    .replace(/^-|-$/g, '')
}
