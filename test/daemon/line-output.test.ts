import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { LineOutput } from '../../src/daemon/line-output.ts'
import { openLog } from '../../src/daemon/log.ts'

/** A named pipe, opened for reading and writing so that it has a reader that reads only when told to. */
function pipe(): { path: string; fd: number; read(): string } {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-pipe-'))
  const path = join(directory, 'pipe')
  spawnSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => {
    closeSync(fd)
    rmSync(directory, { recursive: true })
  })
  return { path, fd, read: () => readAll(fd) }
}

function readAll(fd: number): string {
  const chunks: Buffer[] = []
  const chunk = Buffer.alloc(65_536)
  try {
    for (let bytes = readSync(fd, chunk); bytes > 0; bytes = readSync(fd, chunk)) {
      chunks.push(Buffer.from(chunk.subarray(0, bytes)))
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
  }
  return Buffer.concat(chunks).toString()
}

async function readUntil(read: () => string, met: (text: string) => boolean): Promise<string> {
  let text = ''
  for (let rounds = 0; rounds < 200; rounds++) {
    text += read()
    if (met(text)) return text
    await delay(25)
  }
  throw new Error(`not met by ${text.length} characters that end with ${JSON.stringify(text.slice(-300))}`)
}

test.each(['json', 'pretty'] as const)(
  'a full pipe holds nothing up, and the %s log says how much was lost',
  async (logFormat) => {
    const { fd, read } = pipe()
    const log = await openLog({ logLevel: 'info', logFormat }, fd)
    const began = performance.now()
    for (let number = 0; number < 5000; number++) log.info({ number }, 'x'.repeat(100))
    expect(performance.now() - began).toBeLessThan(5000)
    const text = await readUntil(read, (sofar) => sofar.includes('log lines were dropped'))
    log.info('afterwards')
    const lines = (text + (await readUntil(read, (sofar) => sofar.includes('afterwards')))).trimEnd().split('\n')
    const dropped = Number(/"dropped":(\d+)/.exec(lines.at(-2) ?? '')?.[1])
    const numbers = lines.flatMap((line) => /"number":(\d+)/.exec(line)?.[1] ?? []).map(Number)
    // Every line is whole, in order, and written or counted.
    expect(lines).toHaveLength(numbers.length + 2)
    expect(numbers).toEqual(numbers.map((_, position) => position))
    expect(numbers.length + dropped).toBe(5000)
    expect(numbers.length).toBeGreaterThan(1000)
  },
)

test('what nobody reads any longer is written when somebody does again', async () => {
  const { path, fd } = pipe()
  const output = new LineOutput(fd)
  closeSync(fd)
  output.write('one\n')
  await delay(100)
  const again = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  expect(again).toBe(fd)
  output.write('two\n')
  expect(
    await readUntil(
      () => readAll(again),
      (text) => text.includes('two'),
    ),
  ).toContain('two\n')
})

test('a full disk throws nothing, and nothing counts as written', async () => {
  const fd = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(fd))
  const recoveries: number[] = []
  const output = new LineOutput(fd, (dropped) => recoveries.push(dropped))
  for (let number = 0; number < 5000; number++) output.write(`${'x'.repeat(100)}\n`)
  // Time for several attempts: what throws in one of them fails the test.
  await delay(200)
  expect(recoveries).toEqual([])
})

test('a file is written on where it ends, also when another process writes to it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'earshot-log-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'log')
  const fd = openSync(path, 'w')
  onTestFinished(() => closeSync(fd))
  const output = new LineOutput(fd)
  const written = () => readFileSync(path, 'utf8')
  output.write('one\n')
  await readUntil(written, (text) => text.includes('one'))
  writeSync(fd, 'another\n')
  output.write('two\n')
  await readUntil(written, (text) => text.includes('two'))
  expect(written()).toBe('one\nanother\ntwo\n')
})

test('the log for people has one line for each entry, and nothing that a terminal obeys', async () => {
  const { fd, read } = pipe()
  const log = await openLog({ logLevel: 'info', logFormat: 'pretty' }, fd)
  log.info({ name: 'a\u202eb', tags: ['\u001b[2J'], err: new Error('c\u2028d') }, 'e\nf\u0085g\u200fh')
  const text = await readUntil(read, (sofar) => sofar.includes('.test.ts'))
  const [first = ''] = text.split('\n')
  expect(first).toContain('e\\u{a}f\\u{85}g\\u{200f}h')
  expect(first).toContain('a\\u{202e}b')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(text).not.toMatch(/[\u202e\u2028\u200f\u0085]|\u001b\[2J/)
})
