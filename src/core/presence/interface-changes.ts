import type { Interface } from '../link.ts'

/** What has become of the interfaces in use. */
export interface InterfaceChanges {
  /** Names of those that are no longer there. */
  gone: string[]
  /** Those that are to be told and asked: they have a path that is new, or other addresses. */
  fresh: Interface[]
  /** An address of this machine that others know may be no more. */
  isReaddressed: boolean
}

/** Compares the interfaces that there were with those that there are. */
export function interfaceChanges(before: readonly Interface[], now: readonly Interface[]): InterfaceChanges {
  const known = new Map(before.map((each) => [each.name, each]))
  const names = new Set(now.map(({ name }) => name))
  const hasOtherAddresses = (each: Interface) => {
    const old = known.get(each.name)
    return old !== undefined && addressesOf(old) !== addressesOf(each)
  }
  const hasNewPath = ({ name, paths }: Interface) => paths.some((path) => !known.get(name)?.paths.includes(path))
  const gone = [...known.keys()].filter((name) => !names.has(name))
  return {
    gone,
    fresh: now.filter((each) => hasNewPath(each) || hasOtherAddresses(each)),
    isReaddressed: gone.length > 0 || now.some(hasOtherAddresses),
  }
}

function addressesOf({ addresses }: Interface): string {
  return addresses.map(({ address }) => address).join(' ')
}
