/** A source of random numbers: the system's in the daemon, a seeded one in tests. */
export interface Random {
  /** A number in [0, 1), uniformly distributed. */
  number(): number
  /** `length` random bytes. */
  bytes(length: number): Uint8Array
}
