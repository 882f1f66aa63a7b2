import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../shared/caught-error.ts'

/** Without O_NONBLOCK, opening a named pipe would wait for a writer. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK
/** Errors that may pass or that the administrator can repair. */
const STORAGE_ERRORS = ['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EACCES', 'EPERM', 'EMFILE', 'ENFILE', 'ESTALE']
/** How many renamed damaged files are kept. */
const MAX_SET_ASIDE = 3

/** The file at a path is not usable: not a regular file, too large, or with the wrong content. */
export class Unsuitable extends Error {}

/**
 * Reads a regular file.
 * @throws Unsuitable if it is a pipe, a device or a directory, or larger than `maxBytes`; otherwise the system's error
 */
export async function readRegular(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, READ_FLAGS)
  try {
    requireRegular(await file.stat())
    // Read one byte more than allowed, to detect a file that is too large.
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(maxBytes + 1), position: 0 })
    return checkSize(maxBytes, buffer, bytesRead)
  } finally {
    await file.close()
  }
}

/** Reads a regular file synchronously, like `readRegular`. */
export function readRegularSync(path: string, maxBytes: number): Buffer {
  const file = openSync(path, READ_FLAGS)
  try {
    requireRegular(fstatSync(file))
    const buffer = Buffer.alloc(maxBytes + 1)
    return checkSize(maxBytes, buffer, readSync(file, buffer, 0, buffer.length, 0))
  } finally {
    closeSync(file)
  }
}

function requireRegular(stats: Stats): void {
  if (stats.isDirectory()) throw new Unsuitable('it is a directory')
  if (!stats.isFile()) throw new Unsuitable('it is not a regular file')
}

function checkSize(maxBytes: number, buffer: Buffer, bytes: number): Buffer {
  if (bytes > maxBytes) throw new Unsuitable(`it is larger than ${maxBytes / 1024} KiB`)
  return buffer.subarray(0, bytes)
}

/**
 * Writes a file atomically: after a crash, either the old or the new content is there. When the promise resolves, the new
 * content is on the disk and survives a power failure.
 * @param mode the permissions of the file, by default for its owner only
 */
export async function writeAtomically(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}`
  try {
    await rm(temporary, { force: true })
    // O_EXCL creates a new file: no other process has it open, and no symbolic link is followed.
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

/** Removes the temporary files of `writeAtomically` calls that a crash interrupted. */
export async function removeLeftovers(path: string): Promise<void> {
  const begins = `${basename(path)}.`
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(begins) || !/^\d+$/.test(name.slice(begins.length))) continue
    await rm(join(dirname(path), name), { force: true })
  }
}

/** Renames a damaged file to `PATH.damaged-N`, so that it can be examined. Returns the new path. */
export async function setAside(path: string): Promise<string> {
  for (let number = 1; ; number++) {
    const target = `${path}.damaged-${number}`
    if (number < MAX_SET_ASIDE && (await exists(target))) continue
    await rename(path, target)
    return target
  }
}

/**
 * Creates a directory and its missing parents. (Node's recursive `mkdir` never returns in directories such as /proc, where
 * nothing can be created.)
 * @throws Unsuitable if the path is not a directory; otherwise the system's error
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

/**
 * Whether an error may pass or is for the administrator to repair, as with a full disk. The daemon works without the file
 * meanwhile. Any other error means that the path is wrong.
 */
export function isStorageError(error: unknown): boolean {
  return STORAGE_ERRORS.includes(codeOf(error) ?? '')
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  )
}

/** Some file systems do not support fsync on directories. There, the rename may be lost in a power failure. */
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
