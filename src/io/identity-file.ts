import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createIdentity, type Identity, identityFromPem, identityToPem } from '../core/wire/identity.ts'
import { MAX_INCARNATION } from '../core/wire/messages.ts'
import { StateUnusable } from '../shared/errors.ts'
import { isStorageError, makeDirectory } from './files.ts'
import { isStored, type Stored } from './identity-file.prebuilt.ts'
import { StateFile, type StateNotice } from './state-file.ts'
import type { Ticker } from './ticker.ts'

const FILE = 'identity.json'
const MACHINE_IDS = ['/etc/machine-id', '/var/lib/dbus/machine-id']

/** The identity and incarnation of one run of the daemon. */
export interface LoadedIdentity {
  identity: Identity
  incarnation: number
  /** Why the identity is new; undefined if it is the same as in the last run. */
  fresh: 'first start' | 'another machine' | 'no higher incarnation' | undefined
}

/** The file with the identity in the state directory. While it cannot be written, changes are kept in memory and tried again. */
export class IdentityFile {
  readonly #directory: string
  readonly #file: StateFile<Stored>

  /** @param ticker starts the checks that the file is still there */
  constructor(directory: string, notify: (notice: StateNotice) => void, ticker: Ticker) {
    this.#directory = directory
    this.#file = new StateFile(directory, FILE, isStored, notify, ticker)
  }

  /** Why a restart would lose the identity; undefined if it would not. */
  get fault(): string | undefined {
    return this.#file.fault
  }

  /**
   * Loads the identity, or creates one, and begins a new incarnation. A key from another machine was copied with a cloned
   * disk, so a new one is created. A damaged file is renamed.
   * @throws StateUnusable if there can be no directory at the path
   */
  async begin(): Promise<LoadedIdentity> {
    await makeDirectory(this.#directory, 0o700).catch((error: Error) => {
      if (!isStorageError(error)) throw new StateUnusable(this.#directory, error.message)
    })
    const stored = await this.#file.read()
    const loaded = stored && (await this.#identityIn(stored))
    const incarnation = nextIncarnation(loaded && stored.incarnation, Date.now())
    const isOfThisMachine = stored?.machine === (await machineHash())
    const result: LoadedIdentity =
      loaded && isOfThisMachine && incarnation !== undefined
        ? { identity: loaded, incarnation, fresh: undefined }
        : {
            identity: createIdentity(),
            incarnation: incarnation ?? nextIncarnation(undefined, Date.now()) ?? 0,
            fresh: !loaded ? 'first start' : isOfThisMachine ? 'no higher incarnation' : 'another machine',
          }
    await this.store(result.identity, result.incarnation)
    return result
  }

  /** Stores another identity or a higher incarnation. Resolves even if the file cannot be written now. */
  async store(identity: Identity, incarnation: number): Promise<void> {
    this.#file.set({ privateKey: identityToPem(identity), machine: await machineHash(), incarnation })
    await this.#file.flush().catch(() => {})
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  async #identityIn({ privateKey }: Stored): Promise<Identity | undefined> {
    try {
      return identityFromPem(privateKey)
    } catch {
      await this.#file.reject('its key cannot be read')
      return undefined
    }
  }
}

/**
 * The incarnation after `last`: the seconds since 1970, or `last + 1` if that is higher. `now` is the wall clock in ms since
 * 1970; it is ignored outside of the years 1970 to 2106. Undefined if no higher incarnation is possible.
 */
export function nextIncarnation(last: number | undefined, now: number): number | undefined {
  const seconds = Math.floor(now / 1000)
  const byClock = seconds >= 0 && seconds <= MAX_INCARNATION ? seconds : 0
  const next = Math.max(byClock, (last ?? -1) + 1)
  return next <= MAX_INCARNATION ? next : undefined
}

async function machineHash(): Promise<string> {
  for (const path of MACHINE_IDS) {
    const id = await readFile(path, 'utf8').catch(() => '')
    if (id.trim()) return createHash('sha256').update(`earshot machine\0${id.trim()}`).digest('hex')
  }
  return ''
}
