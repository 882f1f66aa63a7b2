/** The durations and media types that requests may name. */

/** The media types of bodies. */
export const JSON_TYPES = ['application/json', 'application/merge-patch+json']

export interface DurationRange {
  /** In ms. */
  min: number
  /** In ms. */
  max: number
  /** For the error. */
  expected: string
}

/** How long a list may wait for a change. */
export const WAIT_RANGE: DurationRange = {
  min: 0,
  max: 600_000,
  expected: 'a duration of 10m or less such as 30s or 5m',
}
export const DEFAULT_WAIT_MS = 30_000

/** The lease of a service. */
export const TTL_RANGE: DurationRange = {
  min: 1000,
  max: 24 * 3_600_000,
  expected: 'a duration from 1s to 24h such as 30s or 5m',
}

/** How long a peer or a host may take to answer. */
export const TIMEOUT_RANGE: DurationRange = {
  min: 1,
  max: 10_000,
  expected: 'a duration from 1ms to 10s such as 500ms',
}
/** Default timeout of a probe, ms. */
export const PROBE_TIMEOUT_MS = 1000
/**
 * Default timeout of an mDNS query, ms. A host that has just multicast its addresses may not multicast them again for one
 * second, and is then asked again (RFC 6762, section 6).
 */
export const HOST_TIMEOUT_MS = 3000
