import { onTestFinished } from 'vitest'
import { MAX_RECORD_BYTES } from '../../../src/core/wire/messages.ts'
import { InvalidRecord } from '../../../src/core/wire/record.ts'
import type { Service } from '../../../src/core/wire/record-schema.ts'
import { Catalogue, type CatalogueOptions } from '../../../src/daemon/services/catalogue.ts'
import type { CatalogueNotice, RecordContent } from '../../../src/daemon/services/own-services.ts'
import { Ticker } from '../../../src/io/ticker.ts'
import { temporaryDirectory } from '../../temporary-directory.ts'

export function service(id: string, given: Partial<Service> = {}): Service {
  return { id, name: id, type: '_http._tcp', port: 80, txt: {}, subtypes: [], ...given }
}

export interface OpenCatalogue {
  catalogue: Catalogue
  stateDir: string
  /** What it published, the newest last. */
  published: RecordContent[]
  /** What it wanted logged. */
  notices: CatalogueNotice[]
  /** Resolves when it is so after something was published or noticed. */
  until(met: () => boolean): Promise<void>
}

/** A catalogue whose record may have `room` bytes, closed when the test ends. */
export async function openCatalogue(given: Partial<CatalogueOptions> = {}, room = 14_000): Promise<OpenCatalogue> {
  const published: RecordContent[] = []
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
    ticker: new Ticker(),
    publish(content) {
      const bytes = Buffer.byteLength(JSON.stringify(content))
      if (bytes > room) {
        // The error counts what is above the limit of a real record.
        const counted = MAX_RECORD_BYTES + bytes - room
        throw new InvalidRecord(`the record has ${bytes} bytes, and the limit is ${room}`, counted)
      }
      published.push(content)
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
    published,
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
