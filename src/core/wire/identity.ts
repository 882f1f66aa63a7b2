import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import { digest } from './hash-chain.ts'
import { ID_BYTES, type PeerId } from './id.ts'
import { readId, writeId } from './id-bytes.ts'

export const PUBLIC_KEY_BYTES = 32

// Each use of the hash function has a tag of its own, so that no hash or signature is valid for another use.
const GOODBYE_TAG = Buffer.from('earshot bye v1\0', 'latin1')
const RECORD_TAG = Buffer.from('earshot record v1\0', 'latin1')

/** The key pair of a peer, and the id made from it. */
export interface Identity {
  readonly id: PeerId
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

/** The bytes before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const PRIVATE_KEY_BYTES = 32

/**
 * Creates an Ed25519 identity. Its private key is 32 random bytes (RFC 8032, section 5.1.5). `generateKeyPairSync` is not
 * used: Node 20 hangs if the garbage collector runs while such a key is exported.
 */
export function createIdentity(): Identity {
  const key = Buffer.concat([PKCS8_HEAD, randomBytes(PRIVATE_KEY_BYTES)])
  return identityOf(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
}

/** Reads an identity from a private key in PKCS #8 PEM. @throws the error of node:crypto if it is no Ed25519 key */
export function identityFromPem(pem: string): Identity {
  return identityOf(createPrivateKey(pem))
}

/** Writes the private key in PKCS #8 PEM. */
export function identityToPem(identity: Identity): string {
  return identity.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The id of a public key: the first 16 bytes of its SHA-256 hash. */
export function idOf(publicKey: Uint8Array): PeerId {
  return readId(digest(publicKey))
}

function identityOf(privateKey: KeyObject): Identity {
  const { x, crv } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) throw new TypeError('not an Ed25519 private key')
  const publicKey = Buffer.from(x, 'base64url')
  return { id: idOf(publicKey), publicKey, privateKey }
}

/** Signs a record's bytes with Ed25519 (RFC 8032). The signature covers the id, incarnation and version too. */
export function signRecordBytes(
  identity: Identity,
  incarnation: number,
  recordVersion: number,
  record: Uint8Array,
): Uint8Array {
  return signBytes(null, signedBytes(identity.id, incarnation, recordVersion, record), identity.privateKey)
}

/** Whether the signature was made with the key for this id, incarnation, version and bytes. */
export function isSignatureValid(
  publicKey: Uint8Array,
  signature: Uint8Array,
  incarnation: number,
  recordVersion: number,
  record: Uint8Array,
): boolean {
  try {
    const x = Buffer.from(publicKey).toString('base64url')
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    return verifyBytes(null, signedBytes(idOf(publicKey), incarnation, recordVersion, record), key, signature)
  } catch {
    return false // The 32 bytes are no point on the curve.
  }
}

/** The hash of a goodbye's secret. The record contains it, so that only the holder of the secret can say goodbye. */
export function goodbyeCommitment(id: PeerId, incarnation: number, secret: Uint8Array): Uint8Array {
  return digest(tagged(GOODBYE_TAG, id, [incarnation], secret))
}

/** The bytes that a record's signature covers. */
export function signedBytes(id: PeerId, incarnation: number, recordVersion: number, record: Uint8Array): Uint8Array {
  return tagged(RECORD_TAG, id, [incarnation, recordVersion], record)
}

function tagged(tag: Uint8Array, id: PeerId, numbers: number[], rest: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(tag.length + ID_BYTES + 4 * numbers.length + rest.length)
  bytes.set(tag)
  writeId(id, bytes, tag.length)
  let at = tag.length + ID_BYTES
  for (const number of numbers) at = bytes.writeUInt32BE(number, at)
  bytes.set(rest, at)
  return bytes
}
