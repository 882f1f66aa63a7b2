import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Service } from '../../../src/core/wire/index.ts'
import { Catalogue, type CatalogueOptions } from '../../../src/daemon/services/catalogue.ts'
import type { CatalogueNotice, Content } from '../../../src/daemon/services/types.ts'

/** A directory that goes when the test ends. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'earshot-test-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export function service(id: string, given: Partial<Service> = {}): Service {
  return { id, name: id, type: '_http._tcp', port: 80, txt: {}, subtypes: [], ...given }
}

export interface Shelf {
  catalogue: Catalogue
  stateDir: string
  /** What it told others, the newest last. */
  told: Content[]
  /** What it wanted logged. */
  notices: CatalogueNotice[]
  /** Resolves when it is so after something was told or noticed. */
  until(met: () => boolean): Promise<void>
}

/** A catalogue whose record may have `room` bytes, closed when the test ends. */
export async function openCatalogue(given: Partial<CatalogueOptions> = {}, room = 14_000): Promise<Shelf> {
  const told: Content[] = []
  const notices: CatalogueNotice[] = []
  let wake = () => {}
  const stateDir = given.stateDir ?? (await temporaryDirectory())
  const catalogue = await Catalogue.open({
    name: 'kitchen',
    hostname: 'kitchen.lan',
    stateDir,
    servicesDir: [],
    services: [],
    attributes: {},
    now: () => 1000,
    describe(content) {
      const bytes = Buffer.byteLength(JSON.stringify(content))
      if (bytes > room) throw new RangeError(`the record has ${bytes} bytes, and ${room} is the most`)
      told.push(content)
      wake()
    },
    notify(notice) {
      notices.push(notice)
      wake()
    },
    ...given,
  })
  onTestFinished(() => catalogue.close())
  return {
    catalogue,
    stateDir,
    told,
    notices,
    async until(met) {
      while (!met()) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
