import { parseServiceType } from '../../shared/service-type.ts'

/** The service types that are looked for unless something else is said: what is common in homes, offices and studios. */
export const DEFAULT_BROWSE: readonly string[] = [
  // The web, files, terminals, screens
  '_http._tcp',
  '_https._tcp',
  '_webdav._tcp',
  '_webdavs._tcp',
  '_ftp._tcp',
  '_smb._tcp',
  '_afpovertcp._tcp',
  '_nfs._tcp',
  '_adisk._tcp',
  '_ssh._tcp',
  '_sftp-ssh._tcp',
  '_rfb._tcp',
  '_rdp._tcp',
  // Machines as such
  '_device-info._tcp',
  '_workstation._tcp',
  // Printing and scanning
  '_ipp._tcp',
  '_ipps._tcp',
  '_printer._tcp',
  '_pdl-datastream._tcp',
  '_scanner._tcp',
  '_uscan._tcp',
  '_uscans._tcp',
  // Sound and pictures
  '_airplay._tcp',
  '_raop._tcp',
  '_googlecast._tcp',
  '_androidtvremote2._tcp',
  '_spotify-connect._tcp',
  '_sonos._tcp',
  '_daap._tcp',
  '_dacp._tcp',
  '_mpd._tcp',
  '_apple-midi._udp',
  '_osc._udp',
  '_osc._tcp',
  // Homes and sensors
  '_hap._tcp',
  '_hap._udp',
  '_homekit._tcp',
  '_matter._tcp',
  '_matterc._udp',
  '_meshcop._udp',
  '_hue._tcp',
  '_home-assistant._tcp',
  '_esphomelib._tcp',
  '_shelly._tcp',
  '_mqtt._tcp',
  '_secure-mqtt._tcp',
  '_coap._udp',
  // Time
  '_ntp._udp',
]

/** A service type in full and lower case: `ipp` and `_ipp._tcp` are `_ipp._tcp`, `osc/udp` is `_osc._udp`; `*` is itself. Undefined when it is none. */
export function browsedType(text: string): string | undefined {
  if (text === '*') return text
  const { name, protocol = 'tcp' } = parseServiceType(text) ?? {}
  return name === undefined ? undefined : `_${name}._${protocol}`
}

/**
 * What is looked for when this is written, each type once; the common types when nothing is. With `*`, which stands in
 * the list as it is, the common types are among them.
 */
export function browsedTypes(written: string | readonly string[] | undefined): readonly string[] {
  if (written === undefined) return DEFAULT_BROWSE
  const types = [written].flat().flatMap((text) => browsedType(text) ?? [])
  return [...new Set(types.includes('*') ? [...types, ...DEFAULT_BROWSE] : types)]
}
