export type * from './dns/types.ts'
export { Mdns, type MdnsOptions, type OwnProfile } from './mdns.ts'
