import { isDeepStrictEqual } from 'node:util'
import { InvalidRecord } from '../../core/wire/record.ts'
import type { Attributes, AttributeValue, Service } from '../../core/wire/record-schema.ts'
import type { Ticker } from '../../io/ticker.ts'
import { AttributeTaken, BadConfig, NoSuchService, RecordTooLarge, ServiceTaken } from '../../shared/errors.ts'
import {
  type BadFile,
  type CatalogueNotice,
  evictionOrder,
  mergeFiles,
  type OwnService,
  type RecordContent,
  recordService,
  type ServiceFile,
  sourceOf,
} from './own-services.ts'
import { checkAttribute, type Registered, Registrations } from './registrations.ts'
import { ServiceFiles } from './service-files.ts'
import type { Saved } from './services.prebuilt.ts'

export interface CatalogueOptions {
  /** The peer's name. */
  name: string
  hostname: string
  stateDir: string
  servicesDir: readonly string[]
  /** The services of the config file. */
  services: readonly Service[]
  /** The attributes of the config file. */
  attributes: Readonly<Attributes>
  /** Monotonic ms. */
  now(): number
  /** Starts the looks at service files and the checks of saved files. */
  ticker: Ticker
  /** Replaces what this peer publishes. At the start it publishes nothing. @throws InvalidRecord; then nothing has changed */
  publish(content: RecordContent): void
  notify(notice: CatalogueNotice): void
}

/** How a service is registered. */
export interface PutOptions {
  /** The name that the program gives itself. */
  owner?: string | undefined
  /** The service takes the peer's name, also when that changes. */
  usesPeerName?: boolean | undefined
}

/**
 * The services and attributes of this peer from all sources: the config file, programs over the API, and service
 * files. Where two have the same id, the first of these wins.
 */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #config: ReadonlyMap<string, OwnService>
  readonly #registrations: Registrations
  readonly #files: ServiceFiles
  #fromFiles: ReadonlyMap<string, OwnService> = new Map()
  #badFiles: readonly BadFile[] = []
  /** What the service files were last merged from. */
  #merged: { files: readonly ServiceFile[]; registered: Registered | undefined } = { files: [], registered: undefined }
  #published: RecordContent = { services: [], attributes: {} }

  private constructor(options: CatalogueOptions) {
    const { services, stateDir, servicesDir, notify, ticker } = options
    this.#options = options
    this.#config = byId(services.map((each) => ({ ...each, source: 'config', file: undefined, expiresAt: undefined })))
    this.#registrations = new Registrations(stateDir, (id) => this.#expire(id), notify, ticker)
    this.#files = new ServiceFiles(servicesDir, options, (files) => this.#merge(files), ticker)
  }

  /**
   * Publishes the config file's services and attributes, then what was registered in an earlier run, then the service
   * files, and watches those from then on.
   * @throws BadConfig when a record cannot hold the config file's services and attributes
   */
  static async open(options: CatalogueOptions): Promise<Catalogue> {
    const catalogue = new Catalogue(options)
    const fault = catalogue.#publish(catalogue.list(), catalogue.#registrations.current)
    if (fault) throw new BadConfig(`cannot publish the services and attributes: ${fault.message}`)
    const saved = await catalogue.#registrations.load()
    if (saved) catalogue.#restore(saved)
    await catalogue.#files.open()
    return catalogue
  }

  /** The peer's name, which a service without a name takes. */
  get peerName(): string {
    return this.#options.name
  }

  /** All services, those of the config file first. */
  list(): OwnService[] {
    return [...this.#config.values(), ...this.#registrations.current.services.values(), ...this.#fromFiles.values()]
  }

  get(id: string): OwnService | undefined {
    return this.#config.get(id) ?? this.#registrations.current.services.get(id) ?? this.#fromFiles.get(id)
  }

  /** The service files, and directories of service files, that cannot be used now. */
  get badFiles(): readonly BadFile[] {
    return this.#badFiles
  }

  get attributes(): Attributes {
    return this.#attributesWith(this.#registrations.current)
  }

  /**
   * Registers, changes or renews a service of a program. With `ttl` (ms) it is removed when it is not put again in
   * that time; without, it stays and is saved. `needsSave`: call `saved` before reporting success.
   * @throws ServiceTaken, RecordTooLarge; then nothing has changed
   */
  put(
    id: string,
    service: Service,
    ttl?: number,
    { owner, usesPeerName }: PutOptions = {},
  ): { service: OwnService; created: boolean; needsSave: boolean } {
    this.#refuseTaken(id)
    const { services, attributes } = this.#registrations.current
    const before = services.get(id)
    const expiresAt = ttl === undefined ? undefined : this.#options.now() + ttl
    const fields = { source: 'api', file: undefined, owner, usesPeerName, expiresAt } as const
    const own: OwnService = { ...recordService(service), id, ...fields }
    this.#register({ services: new Map(services).set(id, own), attributes })
    this.#registrations.lease(id, ttl)
    const wasSaved = before !== undefined && before.expiresAt === undefined
    const needsSave = wasSaved || expiresAt === undefined
    if (needsSave) this.#registrations.save()
    return { service: own, created: before === undefined, needsSave }
  }

  /**
   * Removes a service that a program has registered. `needsSave`: call `saved` before reporting success.
   * @throws NoSuchService, ServiceTaken
   */
  remove(id: string): { needsSave: boolean } {
    this.#refuseTaken(id)
    const before = this.#registrations.current.services.get(id)
    if (!before) throw new NoSuchService(id)
    this.#registrations.lease(id)
    this.#unregister(id)
    const needsSave = before.expiresAt === undefined
    if (needsSave) this.#registrations.save()
    return { needsSave }
  }

  /**
   * Sets attributes, and removes those that are null (RFC 7396). An attribute set here overrides the config file's,
   * which returns when the override is removed. Returns all attributes; call `saved` before reporting success.
   * @throws AttributeTaken, RecordTooLarge, BadRequest; then nothing has changed
   */
  patchAttributes(patch: Readonly<Record<string, AttributeValue | null>>): Attributes {
    const { services, attributes } = this.#registrations.current
    const changed = new Map(attributes)
    for (const [key, value] of Object.entries(patch)) {
      if (value !== null) {
        checkAttribute(key, value)
        changed.set(key, value)
      } else if (!changed.delete(key) && Object.hasOwn(this.#options.attributes, key)) throw new AttributeTaken(key)
    }
    if (!isDeepStrictEqual(changed, attributes)) {
      this.#register({ services, attributes: changed })
      this.#registrations.save()
    }
    return this.attributes
  }

  /** Resolves when what survives a restart is on the disk. @throws NotKept */
  saved(): Promise<void> {
    return this.#registrations.saved()
  }

  /** Why what should survive a restart is not on the disk; undefined when it is. */
  get fault(): string | undefined {
    return this.#registrations.fault
  }

  /** Stops leases and watching without removing services, and saves what is not saved yet. */
  async close(): Promise<void> {
    this.#files.close()
    await this.#registrations.close()
  }

  #refuseTaken(id: string): void {
    const owner = this.#config.get(id) ?? this.#fromFiles.get(id)
    if (owner) throw new ServiceTaken(id, sourceOf(owner))
  }

  /** @throws RecordTooLarge; then nothing has changed */
  #register(registered: Registered): void {
    const services = [...this.#config.values(), ...registered.services.values(), ...this.#fromFiles.values()]
    const fault = this.#publish(services, registered)
    if (fault) throw new RecordTooLarge(fault.message)
    this.#registrations.current = registered
    this.#merge(this.#merged.files)
  }

  #unregister(id: string): void {
    const { services, attributes } = this.#registrations.current
    const remaining = new Map(services)
    remaining.delete(id)
    this.#register({ services: remaining, attributes })
  }

  #expire(id: string): void {
    this.#unregister(id)
    this.#options.notify({ type: 'expired', id })
  }

  #attributesWith({ attributes }: Registered): Attributes {
    return { ...this.#options.attributes, ...Object.fromEntries(attributes) }
  }

  /** Publishes services and attributes. Returns the reason when a record cannot hold them; then nothing has changed. */
  #publish(services: readonly OwnService[], registered: Registered): InvalidRecord | undefined {
    const content = { services: services.map(recordService), attributes: this.#attributesWith(registered) }
    if (isDeepStrictEqual(content, this.#published)) return undefined
    try {
      this.#options.publish(content)
    } catch (error) {
      if (error instanceof InvalidRecord) return error
      throw error
    }
    this.#published = content
    return undefined
  }

  /**
   * Restores what an earlier run has saved. The config file may have changed since: what no longer fits into the record, or
   * has an id that the config file uses now, is not restored.
   */
  #restore({ services, attributes }: Saved): void {
    const attempt = (what: string, action: () => void) => {
      try {
        action()
      } catch (error) {
        if (!(error instanceof ServiceTaken || error instanceof RecordTooLarge)) throw error
        this.#options.notify({ type: 'not-restored', what, reason: error.message })
      }
    }
    for (const [key, value] of Object.entries(attributes)) {
      attempt(`attribute '${key}'`, () => this.patchAttributes({ [key]: value }))
    }
    for (const saved of services) {
      const service = { ...saved, name: saved.name ?? this.#options.name }
      const options = { usesPeerName: saved.name === undefined }
      attempt(`service '${saved.id}'`, () => this.put(saved.id, service, undefined, options))
    }
  }

  /**
   * Publishes the service files that can be used. Does nothing if no file has changed, except while there are bad files: then
   * a change of the registrations may make one of them usable.
   */
  #merge(files: readonly ServiceFile[]): void {
    const before = this.#merged
    const registered = this.#registrations.current
    const haveFilesChanged = files.length !== before.files.length || files.some((file, at) => file !== before.files[at])
    this.#merged = { files, registered }
    if (!haveFilesChanged && (registered === before.registered || this.#badFiles.length === 0)) return
    const others = [...this.#config.values(), ...registered.services.values()]
    const refused = new Map<string, string>()
    for (;;) {
      const { services, bad } = mergeFiles(others, files, refused)
      const fault = this.#publish([...others, ...services], registered)
      if (!fault || services.length === 0) {
        this.#fromFiles = byId(services)
        this.#reportBadFiles(bad, files)
        return
      }
      let excess = Math.max(1, fault.excess)
      for (const { file, error, bytes } of evictionOrder(services, this.#fromFiles)) {
        refused.set(file, error)
        excess -= bytes
        if (excess <= 0) break
      }
    }
  }

  #reportBadFiles(bad: readonly BadFile[], files: readonly ServiceFile[]): void {
    const before = new Map(this.#badFiles.map(({ file, error }) => [file, error]))
    for (const { file, error } of bad) {
      if (before.get(file) !== error) this.#options.notify({ type: 'bad-file', file, error })
      before.delete(file)
    }
    for (const { file } of files) if (before.has(file)) this.#options.notify({ type: 'good-file', file })
    this.#badFiles = bad
  }
}

function byId(services: readonly OwnService[]): Map<string, OwnService> {
  return new Map(services.map((service) => [service.id, service]))
}
