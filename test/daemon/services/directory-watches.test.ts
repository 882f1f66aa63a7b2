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
  expect(await watches.set([directory])).toBe(true)
  await changed(writeFile(file, '1'))
  await changed(writeFile(file, '2'))
  await changed(rename(file, `${file}2`))
  await changed(rm(`${file}2`))
  await changed(rename(directory, `${directory}.old`))
  await mkdir(directory)
  await watches.set([directory])
  await changed(writeFile(file, '3'))
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
