import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../shared/caught-error.ts'

/** Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it. */
const READING = constants.O_RDONLY | constants.O_NONBLOCK
const TROUBLES_OF_DISK = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'ESTALE']
/** So many files are kept of those that were set aside. */
const MOST_SET_ASIDE = 3

/** What lies there is not a file of the kind that is read. */
export class Unsuitable extends Error {}

/**
 * The bytes of a regular file.
 * @throws Unsuitable when it is a pipe, a device, a directory, or larger than `mostBytes`; else what the system says
 */
export async function readRegular(path: string, mostBytes: number): Promise<Buffer> {
  const file = await open(path, READING)
  try {
    refuseOther(await file.stat())
    // One byte more than allowed: the file may have grown since it was looked at.
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(mostBytes + 1), position: 0 })
    return within(mostBytes, buffer, bytesRead)
  } finally {
    await file.close()
  }
}

/** The same at once. */
export function readRegularSync(path: string, mostBytes: number): Buffer {
  const file = openSync(path, READING)
  try {
    refuseOther(fstatSync(file))
    const buffer = Buffer.alloc(mostBytes + 1)
    return within(mostBytes, buffer, readSync(file, buffer, 0, buffer.length, 0))
  } finally {
    closeSync(file)
  }
}

function refuseOther(stats: Stats): void {
  if (stats.isDirectory()) throw new Unsuitable('it is a directory')
  if (!stats.isFile()) throw new Unsuitable('it is not a regular file')
}

function within(mostBytes: number, buffer: Buffer, bytes: number): Buffer {
  if (bytes > mostBytes) throw new Unsuitable(`it is larger than ${mostBytes / 1024} KiB`)
  return buffer.subarray(0, bytes)
}

/**
 * Writes a file whole or not at all: a crash leaves the old one or the new one. When this resolves, the new one is on the
 * disk, and is found after a loss of power as well. Its mode is the one given: for its owner only, unless said otherwise.
 */
export async function writeAtomically(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}`
  try {
    await rm(temporary, { force: true })
    // Made anew (O_EXCL): nobody else has it open, and no link that lies there is followed.
    const file = await open(temporary, 'wx', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
  await syncDirectory(dirname(path))
}

/** Removes what `writeAtomically` left behind when a process was killed in the midst of it. */
export async function removeLeftovers(path: string): Promise<void> {
  const begins = `${basename(path)}.`
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(begins) || !/^\d+$/.test(name.slice(begins.length))) continue
    await rm(join(dirname(path), name), { force: true })
  }
}

/** Renames what lies there so that it is out of the way and can be looked at; returns the new path. */
export async function setAside(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const place = `${path}.damaged-${number}`
    if (number < MOST_SET_ASIDE && (await isThere(place))) continue
    await rename(path, place)
    return place
  }
}

/**
 * Makes a directory, and those above it, where there are none. (Node's own recursive `mkdir` never ends in places such as
 * /proc, where nothing can be made.)
 * @throws Unsuitable when something else lies there; else what the system says
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, mode)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      if ((await stat(path)).isDirectory()) return
      throw new Unsuitable('it is not a directory')
    }
    const above = dirname(path)
    if (codeOf(error) !== 'ENOENT' || above === path) throw error
    await makeDirectory(above, mode)
    await mkdir(path, mode)
  }
  await syncDirectory(dirname(path))
}

/** Whether it may pass, or needs somebody to see to the disk: meanwhile the daemon does without. Else it is a wrong path. */
export function isTroubleOfDisk(error: unknown): boolean {
  return TROUBLES_OF_DISK.includes(codeOf(error) ?? '')
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** Some file systems know no such thing for directories; what they promise is then all that there is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await directory.sync()
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error
  } finally {
    await directory.close()
  }
}
