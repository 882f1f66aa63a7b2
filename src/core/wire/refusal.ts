/** Why a datagram was not believed. Each is counted, and shown by `earshot status` and `sniff`. */
export const REFUSALS = {
  'too-short': 'shorter than its header or body must be',
  'too-long': 'longer than its body can be',
  'not-earshot': 'does not begin with the magic number',
  'unknown-version': 'of a protocol version not spoken here',
  'unknown-type': 'of an unknown message type',
  'unknown-path': 'says that it came by a path that there is not',
  'bad-part': 'a part of a record whose number or size cannot be',
  'bad-record': 'a record that is no JSON object of the right shape',
  'bad-identity': "a record whose key does not belong to its sender's id",
  'bad-signature': 'a record whose signature is wrong',
  'bad-reveal': 'a beat that does not follow from the hash chain',
  'bad-goodbye': 'a goodbye without the right secret',
  'off-link': "from outside the interface's own subnet",
  'own-id': 'sent by someone else under our own id',
  duplicate: 'heard before, on the same or another path',
  replayed: 'older than what was heard already',
  'too-far-ahead': 'further ahead than the time that passed can explain',
  unproven: 'from a peer or incarnation whose record is not known yet',
  'signature-budget': 'more signatures to check than allowed per second',
  'registry-full': 'a newcomer when the registry is full',
  exception: 'an error in this program while it was handled: the log has it',
} as const

export type Refusal = keyof typeof REFUSALS
