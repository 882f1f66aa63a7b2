import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import { signedBytes } from './digest.ts'
import { type PeerId, readId } from './id.ts'

export const PUBLIC_KEY_BYTES = 32

/** The key pair that makes a peer the one it is. */
export interface Identity {
  readonly id: PeerId
  readonly publicKey: Uint8Array
  readonly privateKey: KeyObject
}

/** A new Ed25519 identity. */
export function createIdentity(): Identity {
  return identityOf(generateKeyPairSync('ed25519').privateKey)
}

/** The identity whose private key is written in PKCS #8 PEM. Throws what node:crypto throws when it is no Ed25519 key. */
export function readIdentity(pem: string): Identity {
  return identityOf(createPrivateKey(pem))
}

/** The private key in PKCS #8 PEM. */
export function writeIdentity(identity: Identity): string {
  return identity.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The id that belongs to a public key: the first 16 bytes of its SHA-256. */
export function idOf(publicKey: Uint8Array): PeerId {
  return readId(createHash('sha256').update(publicKey).digest())
}

function identityOf(privateKey: KeyObject): Identity {
  const { x, crv } = createPublicKey(privateKey).export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) throw new TypeError('not an Ed25519 private key')
  const publicKey = Buffer.from(x, 'base64url')
  return { id: idOf(publicKey), publicKey, privateKey }
}

/** Ed25519 (RFC 8032) over a record's bytes and what they are said of. */
export function signRecord(
  identity: Identity,
  incarnation: number,
  recordVersion: number,
  record: Uint8Array,
): Uint8Array {
  return signBytes(null, signedBytes(identity.id, incarnation, recordVersion, record), identity.privateKey)
}

/** Whether the signature is by the key, for just this id, incarnation, version and bytes. */
export function isSignedBy(
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
    return false // 32 bytes that are no point of the curve
  }
}
