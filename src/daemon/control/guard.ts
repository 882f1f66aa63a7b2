import type { IncomingHttpHeaders } from 'node:http'
import { ForeignHost, ForeignOrigin } from '../../shared/errors.ts'

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::(\d{1,5}))?$/i
const OWN_FETCH_SITES = ['same-origin', 'none']

/**
 * Refuses what a web page of another site can send to the loopback port.
 *
 * A browser lets any page ask `http://127.0.0.1`, and DNS rebinding even lets it read the answer: the page's own name
 * is made to resolve to 127.0.0.1. But the page cannot forge these headers: `Host` then bears its name, and `Origin` or
 * `Sec-Fetch-Site` tell where the request comes from. Programs send neither of the latter.
 * @throws ForeignHost, ForeignOrigin
 */
export function refuseForeign(headers: IncomingHttpHeaders): void {
  const host = LOOPBACK.exec(headers.host ?? '')
  if (!host) throw new ForeignHost(headers.host ?? '')

  const { origin } = headers
  if (origin !== undefined) {
    const own = origin.startsWith('http://') ? LOOPBACK.exec(origin.slice('http://'.length)) : null
    // Another port is another program's page.
    if (!own || own[1] !== host[1]) throw new ForeignOrigin(origin)
  }

  const site = headers['sec-fetch-site']
  if (site !== undefined && !(typeof site === 'string' && OWN_FETCH_SITES.includes(site))) {
    throw new ForeignOrigin(`Sec-Fetch-Site: ${site}`)
  }
}
