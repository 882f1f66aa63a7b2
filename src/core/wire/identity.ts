import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
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

/** What stands before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410, section 7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const PRIVATE_KEY_BYTES = 32

/**
 * A new Ed25519 identity: its private key is 32 random bytes (RFC 8032, section 5.1.5). They are not drawn by
 * `generateKeyPairSync`: Node 20 waits for ever when its garbage collector runs while a key made so is exported.
 */
export function createIdentity(): Identity {
  const key = Buffer.concat([PKCS8_HEAD, randomBytes(PRIVATE_KEY_BYTES)])
  return identityOf(createPrivateKey({ key, format: 'der', type: 'pkcs8' }))
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
