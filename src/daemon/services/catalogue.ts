import { isDeepStrictEqual } from 'node:util'
import { Ajv } from 'ajv'
import { Type } from 'typebox'
import type { Attributes, AttributeValue, Service } from '../../core/wire/index.ts'
import { AttributesSchema, NameSchema, ServiceSchema } from '../../core/wire/record.ts'
import { StateFile } from '../../io/state-file.ts'
import { AttributeTaken, NoSuchService, RecordTooLarge, ServiceTaken } from '../../shared/errors.ts'
import { checkAttribute } from './check.ts'
import { Leases } from './leases.ts'
import { mergeFiles, placeOf, plain } from './merge.ts'
import { excess, leastWanted } from './room.ts'
import { ServiceFiles } from './service-files.ts'
import type { BadFile, CatalogueNotice, Content, Kept, OwnService, ServiceFile } from './types.ts'

const FILE = 'registered.json'

const isContent = new Ajv({ strict: false, strictNumbers: true }).compile<Kept>(
  Type.Object({
    services: Type.Array(Type.Object({ ...ServiceSchema.properties, name: Type.Optional(NameSchema) })),
    attributes: AttributesSchema,
  }),
)

export interface CatalogueOptions {
  /** The peer's name. */
  name: string
  hostname: string
  stateDir: string
  servicesDir: readonly string[]
  /** What the config file says: it is never changed, and is taken to be told already. */
  services: readonly Service[]
  attributes: Readonly<Attributes>
  /** Monotonic ms. */
  now(): number
  /** Tells it all to others from now on. Throws RangeError, and changes nothing, when the record would be too large. */
  describe(content: Content): void
  notify(notice: CatalogueNotice): void
}

/** How a service is registered. */
export interface PutOptions {
  /** What the program calls itself. */
  owner?: string | undefined
  /** Its name is the peer's, also when that is another one after a restart. */
  followsPeer?: boolean | undefined
}

/**
 * What this peer offers and says of itself, from all sources: the config file, programs over the API, service files,
 * and in this order where two have the same id. What was registered over the API without a ttl lasts.
 */
export class Catalogue {
  readonly #options: CatalogueOptions
  readonly #config: ReadonlyMap<string, OwnService>
  readonly #file: StateFile<Kept>
  readonly #files: ServiceFiles
  readonly #leases = new Leases((id) => this.#expire(id))
  /** Over the API. Replaced, never changed: so that what cannot be told leaves all as it was. */
  #registered: ReadonlyMap<string, OwnService> = new Map()
  #set: ReadonlyMap<string, AttributeValue> = new Map()
  #fromFiles: ReadonlyMap<string, OwnService> = new Map()
  #badFiles: readonly BadFile[] = []
  #looked: readonly ServiceFile[] = []
  /** What there was beside the files when they were looked at last. */
  #besides: { registered?: unknown; set?: unknown } = {}
  #told: Content

  private constructor(options: CatalogueOptions) {
    const { services, attributes, stateDir, servicesDir, notify } = options
    this.#options = options
    this.#config = byId(services.map((each) => ({ ...each, source: 'config', file: undefined, expiresAt: undefined })))
    this.#told = { services: [...services], attributes }
    this.#file = new StateFile(stateDir, FILE, isContent, notify)
    this.#files = new ServiceFiles(servicesDir, options, (files) => this.#admit(files))
  }

  /** Takes up what was registered before, reads the service files and goes on watching them. */
  static async open(options: CatalogueOptions): Promise<Catalogue> {
    const catalogue = new Catalogue(options)
    const saved = await catalogue.#file.read()
    if (saved) catalogue.#restore(saved)
    await catalogue.#files.open()
    return catalogue
  }

  /** All services, those of the config file first. */
  list(): OwnService[] {
    return [...this.#config.values(), ...this.#registered.values(), ...this.#fromFiles.values()]
  }

  get(id: string): OwnService | undefined {
    return this.#config.get(id) ?? this.#registered.get(id) ?? this.#fromFiles.get(id)
  }

  /** The service files, and directories of such, that cannot be used now. */
  get badFiles(): readonly BadFile[] {
    return this.#badFiles
  }

  get attributes(): Attributes {
    return attributesOf(this.#options.attributes, this.#set)
  }

  /**
   * Registers a service, or changes or renews one that was registered so. With `ttl` (ms) it is withdrawn when that
   * has passed since it was last put; without, it stays and lasts. `isToKeep`: it changes what lasts, or is to last
   * itself, and is kept only when `saved` has resolved.
   * @throws ServiceTaken, RecordTooLarge; then nothing has changed
   */
  put(
    id: string,
    service: Service,
    ttl?: number,
    { owner, followsPeer }: PutOptions = {},
  ): { service: OwnService; created: boolean; isToKeep: boolean } {
    this.#refuseTaken(id)
    const before = this.#registered.get(id)
    const expiresAt = ttl === undefined ? undefined : this.#options.now() + ttl
    const own: OwnService = { ...plain(service), id, source: 'api', file: undefined, owner, followsPeer, expiresAt }
    this.#register(new Map(this.#registered).set(id, own))
    if (ttl === undefined) this.#leases.end(id)
    else this.#leases.lend(id, ttl)
    const isLasting = (each: OwnService | undefined) => each !== undefined && each.expiresAt === undefined
    const isToKeep = isLasting(before) || isLasting(own)
    if (isToKeep) this.#keep()
    return { service: own, created: before === undefined, isToKeep }
  }

  /** Withdraws a service. One that was to last is gone for good only when `saved` has resolved. @throws NoSuchService, ServiceTaken */
  remove(id: string): { isToKeep: boolean } {
    this.#refuseTaken(id)
    const before = this.#registered.get(id)
    if (!before) throw new NoSuchService(id)
    this.#leases.end(id)
    this.#withdraw(id)
    const isToKeep = before.expiresAt === undefined
    if (isToKeep) this.#keep()
    return { isToKeep }
  }

  /**
   * Sets attributes, and takes away those that are null (RFC 7396); the config file's are overridden, and are back
   * when what overrides them is taken away. Returns all there are now; they are kept only when `saved` has resolved.
   * @throws AttributeTaken, RecordTooLarge, BadRequest; then nothing has changed
   */
  patchAttributes(patch: Readonly<Record<string, AttributeValue | null>>): Attributes {
    const set = new Map(this.#set)
    for (const [key, value] of Object.entries(patch)) {
      if (value !== null) {
        checkAttribute(key, value)
        set.set(key, value)
      } else if (!set.delete(key) && Object.hasOwn(this.#options.attributes, key)) throw new AttributeTaken(key)
    }
    if (!isDeepStrictEqual(set, this.#set)) {
      this.#tell(this.list(), set)
      this.#set = set
      this.#keep()
    }
    return this.attributes
  }

  /** Resolves when what is to last lies on the disk. @throws NotKept */
  saved(): Promise<void> {
    return this.#file.flush()
  }

  /** Why what is to last does not lie on the disk; undefined when it does. */
  get fault(): string | undefined {
    return this.#file.fault
  }

  /** Ends leases and watching, without withdrawing anything, and saves what has not been saved yet. */
  async close(): Promise<void> {
    this.#files.close()
    this.#leases.close()
    await this.#file.close()
  }

  #refuseTaken(id: string): void {
    const owner = this.#config.get(id) ?? this.#fromFiles.get(id)
    if (owner) throw new ServiceTaken(id, placeOf(owner))
  }

  #register(registered: ReadonlyMap<string, OwnService>): void {
    this.#tell([...this.#config.values(), ...registered.values(), ...this.#fromFiles.values()], this.#set)
    this.#registered = registered
  }

  #withdraw(id: string): void {
    const registered = new Map(this.#registered)
    registered.delete(id)
    this.#register(registered)
  }

  #expire(id: string): void {
    this.#withdraw(id)
    this.#options.notify({ type: 'expired', id })
  }

  #tell(services: readonly OwnService[], set: ReadonlyMap<string, AttributeValue>): void {
    const content = { services: services.map(plain), attributes: attributesOf(this.#options.attributes, set) }
    if (isDeepStrictEqual(content, this.#told)) return
    try {
      this.#options.describe(content)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new RecordTooLarge(error.message)
    }
    this.#told = content
  }

  #keep(): void {
    const lasting = Array.from(this.#registered.values()).filter(({ expiresAt }) => expiresAt === undefined)
    const services = lasting.map((service) => {
      const { name, ...unnamed } = plain(service)
      return service.followsPeer ? unnamed : { ...unnamed, name }
    })
    this.#file.set({ services, attributes: Object.fromEntries(this.#set) })
  }

  /** The config file may have changed since: what has no room beside it, or its id taken by it, is left out. */
  #restore({ services, attributes }: Kept): void {
    const leaveOut = (what: string, reason: string) => this.#options.notify({ type: 'left-out', what, reason })
    const attempt = (what: string, action: () => void) => {
      try {
        action()
      } catch (error) {
        if (!(error instanceof ServiceTaken || error instanceof RecordTooLarge)) throw error
        leaveOut(what, error.message)
      }
    }
    for (const [key, value] of Object.entries(attributes)) {
      attempt(`attribute '${key}'`, () => this.patchAttributes({ [key]: value }))
    }
    for (const kept of services) {
      const service = { ...kept, name: kept.name ?? this.#options.name }
      attempt(`service '${kept.id}'`, () =>
        this.put(kept.id, service, undefined, { followsPeer: kept.name === undefined }),
      )
    }
  }

  /** Takes files in as far as they can be: again while some cannot, when what hinders them may have gone. */
  #admit(files: readonly ServiceFile[]): void {
    const isNews = files.length !== this.#looked.length || files.some((file, at) => file !== this.#looked[at])
    const isOtherwise = this.#besides.registered !== this.#registered || this.#besides.set !== this.#set
    this.#looked = files
    this.#besides = { registered: this.#registered, set: this.#set }
    if (!isNews && !(isOtherwise && this.#badFiles.length > 0)) return
    const others = [...this.#config.values(), ...this.#registered.values()]
    const attributes = this.attributes
    const refused = new Map<string, string>()
    for (;;) {
      const { services, bad } = mergeFiles(others, files, refused)
      // What cannot fit by any means goes at once, so that the record is not made and measured for each file of many.
      let over = excess({ services: [...others, ...services], attributes })
      try {
        if (over === 0) this.#tell([...others, ...services], this.#set)
      } catch (error) {
        if (!(error instanceof RecordTooLarge) || services.length === 0) throw error
        over = 1
      }
      if (over === 0 || services.length === 0) {
        this.#fromFiles = byId(services)
        this.#noteBad(bad, files)
        return
      }
      for (const victim of leastWanted(services, this.#fromFiles)) {
        refused.set(victim.file, victim.error)
        over -= victim.bytes
        if (over <= 0) break
      }
    }
  }

  #noteBad(bad: readonly BadFile[], files: readonly ServiceFile[]): void {
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

function attributesOf(config: Readonly<Attributes>, set: ReadonlyMap<string, AttributeValue>): Attributes {
  return { ...config, ...Object.fromEntries(set) }
}
