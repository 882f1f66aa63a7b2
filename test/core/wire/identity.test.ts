import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { isPeerId } from '../../../src/core/wire/id.ts'
import {
  createIdentity,
  identityFromPem,
  identityToPem,
  idOf,
  isSignatureValid,
  signRecordBytes,
} from '../../../src/core/wire/identity.ts'

const RECORD = Buffer.from('{}')

describe('an identity', () => {
  it('is the same after it was written and read', () => {
    const identity = createIdentity()
    const again = identityFromPem(identityToPem(identity))
    expect(again.id).toBe(identity.id)
    expect(Buffer.from(again.publicKey).equals(identity.publicKey)).toBe(true)
    expect(signRecordBytes(again, 1, 2, RECORD)).toEqual(signRecordBytes(identity, 1, 2, RECORD))
    expect(identityToPem(again)).toBe(identityToPem(identity))
  })

  it('is new each time, and its id belongs to its key', () => {
    const [one, other] = [createIdentity(), createIdentity()]
    expect(one.id).not.toBe(other.id)
    expect(isPeerId(one.id)).toBe(true)
    expect(idOf(one.publicKey)).toBe(one.id)
    expect(one.publicKey.length).toBe(32)
  })

  it('is not read from another kind of key or text', () => {
    const pem = (type: 'x25519' | 'ed448') =>
      (type === 'x25519' ? generateKeyPairSync('x25519') : generateKeyPairSync('ed448')).privateKey
        .export({ type: 'pkcs8', format: 'pem' })
        .toString()
    expect(() => identityFromPem('')).toThrow()
    expect(() => identityFromPem('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')).toThrow()
    expect(() => identityFromPem(pem('x25519'))).toThrow('not an Ed25519 private key')
    expect(() => identityFromPem(pem('ed448'))).toThrow('not an Ed25519 private key')
  })
})

describe('a signature', () => {
  const identity = createIdentity()
  const signature = signRecordBytes(identity, 7, 8, RECORD)

  it('is valid for the signed bytes', () => {
    expect(isSignatureValid(identity.publicKey, signature, 7, 8, RECORD)).toBe(true)
  })

  it('is invalid for anything else', () => {
    const other = createIdentity()
    expect(isSignatureValid(other.publicKey, signature, 7, 8, RECORD)).toBe(false)
    expect(isSignatureValid(identity.publicKey, signature, 8, 8, RECORD)).toBe(false)
    expect(isSignatureValid(identity.publicKey, signature, 7, 7, RECORD)).toBe(false)
    expect(isSignatureValid(identity.publicKey, signature, 7, 8, Buffer.from('{ }'))).toBe(false)
    expect(isSignatureValid(identity.publicKey, signature.subarray(1), 7, 8, RECORD)).toBe(false)
  })

  it('does not throw for invalid keys', () => {
    expect(isSignatureValid(new Uint8Array(32).fill(0xff), signature, 7, 8, RECORD)).toBe(false)
    expect(isSignatureValid(new Uint8Array(31), signature, 7, 8, RECORD)).toBe(false)
    expect(isSignatureValid(new Uint8Array(), new Uint8Array(), 7, 8, RECORD)).toBe(false)
  })
})

it('creates many identities while the garbage collector runs', { timeout: 400_000 }, () => {
  // In a separate process: the bug of Node that this avoids blocks a process forever. On a busy machine it takes minutes.
  const identity = new URL('../../built/core/wire/identity.js', import.meta.url)
  const script = `import { createIdentity } from '${identity}'; for (let i = 0; i < 10_000; i++) createIdentity()`
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 300_000,
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, ''])
})
