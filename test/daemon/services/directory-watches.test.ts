import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { DirectoryWatches } from '../../../src/daemon/services/directory-watches.ts'
import { temporaryDirectory } from '../../temporary-directory.ts'

function open() {
  const onChange = vi.fn()
  const watches = new DirectoryWatches(onChange)
  onTestFinished(() => watches.close())
  const changed = async (action: Promise<unknown>) => {
    await action
    await vi.waitUntil(() => onChange.mock.calls.length > 0)
    onChange.mockClear()
  }
  return { watches, onChange, changed }
}

test('files that are added, changed, renamed and removed are reported, and that the directory is replaced', async () => {
  const above = await temporaryDirectory()
  const [directory, file] = [join(above, 'services.d'), join(above, 'services.d', 'a')]
  await mkdir(directory)
  const { watches, changed } = open()
  const actions = [
    () => writeFile(file, '1'),
    () => writeFile(file, '2'),
    () => rename(file, `${file}2`),
    () => rm(`${file}2`),
    () => rename(directory, `${directory}.old`),
    () => mkdir(directory),
    () => writeFile(file, '3'),
  ]
  for (const action of actions) {
    expect(await watches.set([directory])).toBe(true)
    await changed(action())
  }
})

test('a directory is watched that was removed and made again, also if it has the same inode', async () => {
  const directory = join(await temporaryDirectory(), 'services.d')
  await mkdir(directory)
  const { watches, changed } = open()
  await watches.set([directory])
  await changed(rm(directory, { recursive: true }).then(() => mkdir(directory)))
  await watches.set([directory])
  await changed(writeFile(join(directory, 'a'), ''))
})

test('many changes are reported once, until the directories are set again', async () => {
  const directory = await temporaryDirectory()
  const { watches, onChange } = open()
  await watches.set([directory])
  for (let write = 0; write < 100; write++) await writeFile(join(directory, String(write)), '')
  const witness = open()
  await witness.watches.set([directory])
  await witness.changed(writeFile(join(directory, 'last'), ''))
  expect(onChange).toHaveBeenCalledTimes(1)
})

test('a directory that does not exist is reported when it or one above it is made', async () => {
  const above = await temporaryDirectory()
  const directory = join(above, 'etc', 'services.d')
  const { watches, changed } = open()
  await watches.set([directory])
  await changed(mkdir(join(above, 'etc')))
  await watches.set([directory])
  await changed(mkdir(directory))
  await watches.set([directory])
  await changed(writeFile(join(directory, 'a'), ''))
})

test('directories that are no longer named are not watched, and none after the end', async () => {
  const [one, other] = [await temporaryDirectory(), await temporaryDirectory()]
  const { watches, onChange, changed } = open()
  for (let time = 0; time < 3; time++) await watches.set([one, other, one])
  await watches.set([other])
  await writeFile(join(one, 'a'), '')
  await changed(writeFile(join(other, 'a'), ''))
  watches.close()
  await watches.set([one])
  await writeFile(join(one, 'b'), '')
  await writeFile(join(other, 'b'), '')
  // Events of the kernel come in order: this one comes after those of the files would.
  const witness = open()
  await witness.watches.set([one])
  await witness.changed(writeFile(join(one, 'c'), ''))
  expect(onChange).not.toHaveBeenCalled()
})

test('a file system that does not answer blocks one thread only', async () => {
  const stat = vi.fn(() => new Promise(() => {}))
  vi.resetModules()
  vi.doMock('node:fs/promises', () => ({ stat }))
  onTestFinished(() => void vi.doUnmock('node:fs/promises'))
  const { DirectoryWatches: Mocked } = await import('../../../src/daemon/services/directory-watches.ts')
  void new Mocked(() => {}).set(['/nfs/a', '/nfs/b', '/nfs/c', '/nfs/d'])
  await new Promise(setImmediate)
  expect(stat).toHaveBeenCalledTimes(1)
})
