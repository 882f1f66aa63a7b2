import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { type Static, Type } from 'typebox'
import { readIfThere, writeAtomically } from './atomic-file.ts'
import { StateUnusable } from './errors.ts'
import { createIdentity, type Identity, readIdentity, writeIdentity } from './wire/index.ts'

const FILE = 'identity.json'
const MACHINE_IDS = ['/etc/machine-id', '/var/lib/dbus/machine-id']

const StoredSchema = Type.Object({
  privateKey: Type.String(),
  /** Hash of the id of the machine that it was made on; empty where machines have none. */
  machine: Type.String(),
  incarnation: Type.Integer({ minimum: 0, maximum: 0xffffffff }),
})
type Stored = Static<typeof StoredSchema>
const isStored = new Ajv().compile<Stored>(StoredSchema)

/** Who this daemon is, from one start to the next. */
export interface Life {
  identity: Identity
  /** Seconds since 1970, or the last incarnation + 1 if that is higher. */
  incarnation: number
  /** Why the identity is a new one; undefined when it is the one of last time. */
  fresh: 'first start' | 'another machine' | undefined
}

/**
 * Reads the identity kept in a state directory, or makes one there, and begins a new incarnation. A key that was
 * made on another machine came with a cloned disk, and is made anew.
 * @throws StateUnusable when the directory cannot be written, or what lies there is damaged
 */
export async function beginLife(directory: string): Promise<Life> {
  return usable(directory, async () => {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const machine = await machineHash()
    const stored = await read(join(directory, FILE))
    const incarnation = Math.max(Math.floor(Date.now() / 1000), (stored?.incarnation ?? 0) + 1)
    const kept = stored?.machine === machine ? stored : undefined
    const identity = kept ? identityIn(kept) : createIdentity()
    await write(directory, { privateKey: writeIdentity(identity), machine, incarnation })
    return { identity, incarnation, fresh: kept ? undefined : stored ? 'another machine' : 'first start' }
  })
}

/** Makes a new identity in the place of one that somebody else has too. @throws StateUnusable */
export async function beginAnew(directory: string, incarnation: number): Promise<Identity> {
  return usable(directory, async () => {
    const identity = createIdentity()
    await write(directory, { privateKey: writeIdentity(identity), machine: await machineHash(), incarnation })
    return identity
  })
}

async function usable<T>(directory: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw new StateUnusable(directory, error instanceof Error ? error.message : String(error))
  }
}

async function read(file: string): Promise<Stored | undefined> {
  const text = await readIfThere(file)
  if (text === undefined) return undefined
  try {
    const stored: unknown = JSON.parse(text)
    if (isStored(stored)) return stored
  } catch {
    throw damaged()
  }
  throw damaged()
}

function identityIn({ privateKey }: Stored): Identity {
  try {
    return readIdentity(privateKey)
  } catch {
    throw damaged()
  }
}

function damaged(): Error {
  return new Error(`${FILE} is damaged: remove it to begin under a new identity`)
}

function write(directory: string, stored: Stored): Promise<void> {
  return writeAtomically(join(directory, FILE), `${JSON.stringify(stored, null, 2)}\n`)
}

async function machineHash(): Promise<string> {
  for (const path of MACHINE_IDS) {
    const id = await readFile(path, 'utf8').catch(() => '')
    if (id.trim()) return createHash('sha256').update(`earshot machine\0${id.trim()}`).digest('hex')
  }
  return ''
}
