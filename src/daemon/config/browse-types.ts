import { parseServiceType } from '../../shared/service-names.ts'

/** The service types to browse for by default: those common in homes, offices and studios. */
export const DEFAULT_BROWSE_TYPES: readonly string[] = [
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

/**
 * A service type in full and in lower case: `_ipp._tcp` for `ipp`, `_osc._udp` for `osc/udp`; `*` stays as it is. Undefined
 * when the text is not a service type.
 */
export function fullServiceType(text: string): string | undefined {
  if (text === '*') return text
  const { name, protocol = 'tcp' } = parseServiceType(text) ?? {}
  return name === undefined ? undefined : `_${name}._${protocol}`
}

/**
 * The types to browse for, each once, for a value of `mdns-browse`; undefined gives the default types. `*` stays in the
 * list, and adds the default types.
 */
export function browseTypes(setting: string | readonly string[] | undefined): readonly string[] {
  if (setting === undefined) return DEFAULT_BROWSE_TYPES
  const types = [setting].flat().flatMap((text) => fullServiceType(text) ?? [])
  return [...new Set(types.includes('*') ? [...types, ...DEFAULT_BROWSE_TYPES] : types)]
}
