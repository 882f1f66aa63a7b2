export { BonjourLinks, MDNS } from './bonjour/links.ts'
export { Mdns, type MdnsOptions, type OwnProfile } from './mdns.ts'
export type * from './types.ts'
