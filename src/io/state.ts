import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Ajv } from 'ajv'
import { type Static, Type } from 'typebox'
import { createIdentity, type Identity, identityFromPem, identityToPem } from '../core/wire/identity.ts'
import { MAX_INCARNATION } from '../core/wire/messages.ts'
import { StateUnusable } from '../shared/errors.ts'
import { isTroubleOfDisk, makeDirectory } from './files.ts'
import { StateFile, type StateNotice } from './state-file.ts'

const FILE = 'identity.json'
const MACHINE_IDS = ['/etc/machine-id', '/var/lib/dbus/machine-id']

const StoredSchema = Type.Object({
  privateKey: Type.String(),
  /** Hash of the id of the machine that it was made on; empty where machines have none. */
  machine: Type.String(),
  incarnation: Type.Integer({ minimum: 0, maximum: MAX_INCARNATION }),
})
type Stored = Static<typeof StoredSchema>
const isStored = new Ajv().compile<Stored>(StoredSchema)

/** Who this daemon is, from one start to the next. */
export interface Life {
  identity: Identity
  incarnation: number
  /** Why the identity is a new one; undefined when it is the one of last time. */
  fresh: 'first start' | 'another machine' | 'no higher incarnation' | undefined
}

/** The identity in the state directory. Where the disk cannot be written, what is new is held in memory, and tried again. */
export class IdentityFile {
  readonly #directory: string
  readonly #file: StateFile<Stored>

  constructor(directory: string, notify: (notice: StateNotice) => void) {
    this.#directory = directory
    this.#file = new StateFile(directory, FILE, isStored, notify)
  }

  /** Why the identity would be lost by a restart; undefined when it would not. */
  get fault(): string | undefined {
    return this.#file.fault
  }

  /**
   * Takes up the identity that is kept there, or makes one, and begins a new incarnation. A key that was made on another
   * machine came with a cloned disk, and is made anew; a damaged file is set aside.
   * @throws StateUnusable when the path is one at which there can be no directory
   */
  async begin(): Promise<Life> {
    await makeDirectory(this.#directory, 0o700).catch((error: Error) => {
      if (!isTroubleOfDisk(error)) throw new StateUnusable(this.#directory, error.message)
    })
    const stored = await this.#file.read()
    const kept = stored && (await this.#identityIn(stored))
    const incarnation = nextIncarnation(kept && stored.incarnation, Date.now())
    const isOfThisMachine = stored?.machine === (await machineHash())
    const life: Life =
      kept && isOfThisMachine && incarnation !== undefined
        ? { identity: kept, incarnation, fresh: undefined }
        : {
            identity: createIdentity(),
            incarnation: incarnation ?? nextIncarnation(undefined, Date.now()) ?? 0,
            fresh: !kept ? 'first start' : isOfThisMachine ? 'no higher incarnation' : 'another machine',
          }
    await this.keep(life.identity, life.incarnation)
    return life
  }

  /** Keeps another identity, or a higher incarnation, from now on. Resolves also when it cannot be written now. */
  async keep(identity: Identity, incarnation: number): Promise<void> {
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
 * The incarnation after `last`: the clock's seconds since 1970, or one more than the last if that is higher. `now` is in
 * ms since 1970; a clock that tells a time outside of 1970 to 2106 does not count. Undefined when there is no higher one.
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
