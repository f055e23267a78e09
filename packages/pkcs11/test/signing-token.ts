import { execFile } from 'node:child_process'
import { constants, verify } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createSoftHsm, type TestSoftHsm } from '@hardbound/testkit/hardware'
import { afterAll, afterEach, beforeAll } from '@jest/globals'
import {
  type OpenPkcs11SigningKeyInit,
  openPkcs11SigningKey,
  type Pkcs11SigningKey,
  type SignatureScheme,
} from '../src/signing-key.ts'
import { faults } from './helpers.ts'

export const run = promisify(execFile)
export const MESSAGE = Buffer.from('eyJhbGciOiJQUzI1NiJ9.eyJhdWQiOiJleGFtcGxlLmNvbSJ9')
export const ES256 = { scheme: 'ecdsa', hash: 'sha256' } as const
export const RS256 = { scheme: 'rsassa-pkcs1-v1_5', hash: 'sha256' } as const
export const PS256 = { scheme: 'rsassa-pss', hash: 'sha256' } as const

export let softHsm: TestSoftHsm
const open: Pkcs11SigningKey[] = []

export const path = (name: string): string => join(softHsm.folder, name)
export const keygen = (type: string, id: string, label: string, ...more: string[]) =>
  softHsm.tool('--keypairgen', '--key-type', type, '--id', id, '--label', label, '--usage-sign', ...more)
export const write = (file: string, type: string, id: string, label: string, ...more: string[]) =>
  softHsm.tool('--write-object', path(file), '--type', type, '--id', id, '--label', label, ...more)

/** A key of OpenSSL's and its certificate, as files `<name>.key.der` and `<name>.der`. */
export async function certified(name: string, ...newkey: string[]): Promise<void> {
  const [pem, key, cert] = [path(`${name}.pem`), path(`${name}.key.der`), path(`${name}.der`)]
  const out = ['-keyout', pem, '-outform', 'DER', '-out', cert]
  const subject = ['-subj', `/CN=${name}.example.com`, '-days', '30']
  await run('openssl', ['req', '-x509', '-nodes', ...newkey, ...subject, ...out])
  await run('openssl', ['pkey', '-in', pem, '-outform', 'DER', '-out', key])
}
export const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

beforeAll(async () => {
  softHsm = await createSoftHsm()
  await keygen('rsa:2048', '01', 'rsa')
  await keygen('EC:prime256v1', '02', 'p256')
  await keygen('EC:secp384r1', '03', 'p384')
  await keygen('EC:secp521r1', '04', 'p521')
  await keygen('rsa:2048', '05', 'rsa-pin', '--always-auth')
  await keygen('EC:prime256v1', '06', 'p256-pin', '--always-auth')
  await certified('imported', ...EC)
  await write('imported.key.der', 'privkey', '0a01', 'imported', '--usage-sign', '--sensitive')
  await write('imported.der', 'cert', '0a01', 'its certificate')
  softHsm.activate()
})
afterEach(async () => {
  faults.reset()
  await Promise.all(open.splice(0).map((it) => it.close()))
  faults.reset()
  await softHsm.restoreToken()
})
afterAll(() => softHsm.remove())

export async function start(label: string, init: Partial<OpenPkcs11SigningKeyInit> = {}): Promise<Pkcs11SigningKey> {
  const key = await openPkcs11SigningKey({
    uri: softHsm.uri(label),
    addon: faults.addon,
    reconnectDelayMs: 0,
    ...init,
  })
  open.push(key)
  return key
}
export const uriWith = (attributes: string): string => softHsm.uri().replace('?', `;${attributes}?`)
export const count = (name: string): number => faults.calls.filter((it) => it === name).length

export function isGood(key: Pkcs11SigningKey, { scheme, hash }: SignatureScheme, signature: Uint8Array): boolean {
  const padding = scheme === 'rsassa-pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const saltLength = Number(hash.slice(3)) / 8
  const rsa = key.publicKey.asymmetricKeyType === 'rsa'
  return verify(hash, MESSAGE, { key: key.publicKey, ...(rsa && { padding, saltLength }) }, signature)
}

/** Has the module answer with these values, by attribute; undefined: with none. */
export function answerAttributes(values: ReadonlyMap<number, Buffer | undefined>): void {
  faults.replace('C_GetAttributeValue', (real, session, object, template) => {
    const [{ type }] = template as [{ type: number }]
    return values.has(type) ? [{ type, value: values.get(type) }] : real(session, object, template)
  })
}
