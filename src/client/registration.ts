import { basename } from 'node:path'
import type { OwnService } from '../shared/api.ts'
import { codeOf } from '../shared/caught-error.ts'
import { slug } from '../shared/service-names.ts'
import type { ApiClient } from './api-client.ts'
import { EarshotError } from './error.ts'

/** Registers a service at the daemon without ever overwriting the registration of another program. */

/** A service that this machine's peer offers. */
export interface ServiceEntry {
  /** Identifies the service; 1 to 64 printable ASCII characters without spaces. Made from name, type and a random suffix unless given. */
  id?: string | undefined
  /** For people; the peer's name unless given. */
  name?: string | undefined
  /** `http`, or in full `_http._tcp`. */
  type: string
  /** For a type without protocol; tcp unless given. */
  protocol?: 'tcp' | 'udp' | undefined
  port: number
  txt?: Readonly<Record<string, string | number | boolean>> | undefined
  subtypes?: readonly string[] | undefined
  /** The service is withdrawn when it has not been renewed for this time: ms, from one second to one day. */
  ttl?: number | undefined
}

const MAX_SLUG_CHARACTERS = 40
const MAX_PROGRAM_CHARACTERS = 64
const NOT_FOUND = 404
const PRECONDITION_FAILED = 412

/** A unique id: `shop-http-3f9a0c1e`. Two programs that publish the same service do not overwrite each other. */
export function createServiceId({ name = '', type }: ServiceEntry): string {
  const words = `${name} ${type.replace(/\._(tcp|udp)$/, '')}`
  // Loaded here, because most programs register nothing.
  const { randomBytes } = process.getBuiltinModule('node:crypto')
  return `${slug(words, MAX_SLUG_CHARACTERS)}-${randomBytes(4).toString('hex')}`
}

/**
 * The body of the request that registers a service.
 * @throws TypeError when a value of `txt` cannot be written as JSON
 */
export function serviceBody({ id: _id, ttl, ...entry }: ServiceEntry): object {
  checkValues('txt', entry.txt ?? {})
  return { ...entry, ...(ttl !== undefined && { ttl: `${ttl}ms` }) }
}

/** The path of a service in the API. */
export function servicePath(id: string): string {
  return `/v1/services/${encodeURIComponent(id)}`
}

/**
 * Refuses values that JSON cannot represent. They would be sent as null, which removes an attribute, or not at all.
 * @throws TypeError, which names the key and the value
 */
export function checkValues(what: string, values: Readonly<Record<string, string | number | boolean>>): void {
  for (const [key, value] of Object.entries<unknown>(values)) {
    if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) continue
    throw new TypeError(`${what} '${key}' must be a string, a finite number or a boolean, not ${String(value)}`)
  }
}

/** The registration of one service id. */
export class Registration {
  readonly #client: ApiClient
  readonly #path: string
  readonly #owner = createOwner()
  /** The entity tag of the service as this program registered it; undefined before the first registration. */
  #tag: string | undefined

  constructor(client: ApiClient, id: string) {
    this.#client = client
    this.#path = servicePath(id)
  }

  /**
   * Registers, changes or renews the service.
   * @throws EarshotError EARSHOT_SERVICE_HELD when another program has registered the id
   */
  async put(entry: ServiceEntry, signal: AbortSignal | undefined): Promise<OwnService> {
    const condition = this.#tag === undefined ? { 'if-none-match': '*' } : { 'if-match': this.#tag }
    try {
      return await this.#putIf(condition, entry, signal)
    } catch (error) {
      if (!hasStatus(error, PRECONDITION_FAILED)) throw error
      const current = await this.#fetch(signal)
      // A daemon that has restarted does not know the service.
      if (!current) return await this.#putIf({ 'if-none-match': '*' }, entry, signal)
      const mayReplace = current.value.owner === this.#owner || isAbandoned(current.value.owner)
      if (!mayReplace || current.tag === undefined) throw error
      return await this.#putIf({ 'if-match': current.tag }, entry, signal)
    }
  }

  /** Withdraws the service, unless another program has registered the id in the meantime. */
  async withdraw(signal: AbortSignal | undefined): Promise<void> {
    activeOwners.delete(this.#owner)
    const headers = this.#tag === undefined ? {} : { 'if-match': this.#tag }
    try {
      await this.#client.send({ method: 'DELETE', path: this.#path, headers }, signal)
    } catch (error) {
      if (!hasStatus(error, NOT_FOUND) && !hasStatus(error, PRECONDITION_FAILED)) throw error
    }
  }

  /** Ends a registration that has never succeeded. */
  abandon(): void {
    activeOwners.delete(this.#owner)
  }

  async #putIf(
    condition: Readonly<Record<string, string>>,
    entry: ServiceEntry,
    signal: AbortSignal | undefined,
  ): Promise<OwnService> {
    const headers = { ...condition, 'user-agent': this.#owner }
    const request = { method: 'PUT', path: this.#path, headers, body: serviceBody(entry) } as const
    const { value, tag } = await this.#client.jsonWithTag<OwnService>(request, signal)
    this.#tag = tag
    return value
  }

  async #fetch(signal: AbortSignal | undefined) {
    try {
      return await this.#client.jsonWithTag<OwnService>({ path: this.#path }, signal)
    } catch (error) {
      if (hasStatus(error, NOT_FOUND)) return undefined
      throw error
    }
  }
}

function hasStatus(error: unknown, status: number): boolean {
  return error instanceof EarshotError && error.status === status
}

/** The owner names of the registrations that this process keeps up. */
const activeOwners = new Set<string>()
let ownerCount = 0

const OWNER = / \(process (\d+), publication \d+\)$/

/** A name that tells others which program registered a service: `shop.js (process 4711, publication 1)`. */
function createOwner(): string {
  const program = basename(process.argv[1] ?? process.title).replace(/[^!-~]/g, '?')
  const name = program.slice(0, MAX_PROGRAM_CHARACTERS)
  const owner = `${name} (process ${process.pid}, publication ${++ownerCount})`
  activeOwners.add(owner)
  return owner
}

/** Whether the owner's process has ended on this machine, or is this process and no longer keeps the registration up. */
function isAbandoned(owner: string | undefined): boolean {
  const [, digits] = OWNER.exec(owner ?? '') ?? []
  if (digits === undefined || owner === undefined) return false
  const pid = Number(digits)
  return pid === process.pid ? !activeOwners.has(owner) : !isRunning(pid)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    return codeOf(error) === 'EPERM'
  }
}
