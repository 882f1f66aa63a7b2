/** Messages that are more expensive to read than to send. */

function header(counts: { questions?: number; answers?: number }, flags: number): Buffer {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt16BE(flags, 2)
  bytes.writeUInt16BE(counts.questions ?? 0, 4)
  bytes.writeUInt16BE(counts.answers ?? 0, 6)
  return bytes
}

/** A chain of pointers in one record, and records whose two names both start at its end. */
export function pointerChain(size: number, pointers: number): Buffer {
  const fields = Buffer.from([0, 0, 10, 0, 1, 0, 0, 0, 0, 0, 0])
  fields.writeUInt16BE(1 + 2 * pointers, 9)
  const chain = Buffer.alloc(1 + 2 * pointers)
  const begin = 12 + fields.length
  let last = begin
  for (let i = 0; i < pointers; i++) {
    chain.writeUInt16BE(0xc000 | last, 1 + 2 * i)
    last = begin + 1 + 2 * i
  }
  const record = Buffer.from([0, 0, 0, 12, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0])
  record.writeUInt16BE(0xc000 | last, 0)
  record.writeUInt16BE(0xc000 | last, 12)
  const records = Math.floor((size - begin - chain.length) / record.length)
  const body = Array.from({ length: records }, () => record)
  return Buffer.concat([header({ answers: 1 + records }, 0x8400), fields, chain, ...body])
}

/** Questions that all point to one name with many labels. */
export function manyLabels(size: number, labels: number): Buffer {
  const name = Buffer.alloc(2 * labels + 1)
  for (let i = 0; i < labels; i++) name.write('\u0001a', 2 * i, 'latin1')
  const first = Buffer.concat([name, Buffer.from([0, 12, 0, 1])])
  const questions = Math.floor((size - 12 - first.length) / 6)
  const body = Array.from({ length: questions }, () => Buffer.from([0xc0, 12, 0, 12, 0, 1]))
  return Buffer.concat([header({ questions: 1 + questions }, 0), first, ...body])
}

/** A header that declares entries that do not exist. */
export function emptyPromise(): Buffer {
  return header({ questions: 65_535, answers: 65_535 }, 0)
}
