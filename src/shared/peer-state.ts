/** Every state that a peer can be in. */
export const PEER_STATES = ['alive', 'suspect', 'failed', 'left'] as const
export type PeerState = (typeof PEER_STATES)[number]

/** A peer becomes suspect when no beat was heard for this many of its beat intervals (the lease). */
export const LEASE_INTERVALS = 3.5
/** A suspect peer has failed when it is still silent after this time, in ms. */
export const SUSPECT_TIMEOUT = 1200

/** Whether a peer is present: alive or suspect, not failed or left. */
export function isPresent({ state }: { state: PeerState }): boolean {
  return state === 'alive' || state === 'suspect'
}
