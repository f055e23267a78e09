import { sign, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { startRolesAnywhere, type TestRolesAnywhere } from '../src/roles-anywhere.ts'
import { ANCHOR, AUTHORITY, createWorkshop, type Made, PROFILE, post, ROLE } from './roles-anywhere-helpers.ts'

const SETS = [
  ['ML-DSA-44', 17, ml_dsa44],
  ['ML-DSA-65', 18, ml_dsa65],
  ['ML-DSA-87', 19, ml_dsa87],
] as const

const workshop = createWorkshop()
const root = workshop.certify({ subject: '/O=Example/CN=Root', extensions: AUTHORITY })
const template = workshop.certify({ subject: '/CN=worked.example', issuer: root })

let ra: TestRolesAnywhere
beforeAll(async () => {
  ra = await startRolesAnywhere()
  ra.addTrustAnchor({ arn: ANCHOR, caPem: root.certPem })
  ra.addProfile({ arn: PROFILE, roleArns: [ROLE] })
})
afterAll(async () => {
  await ra.close()
  workshop.remove()
})

/** One element of DER. */
function der(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

/** openssl 3.0 knows no ML-DSA: the certificate of another key gets this one, and is signed anew. */
function certify(publicKey: Uint8Array, arc: number, signer: (tbs: Buffer) => Buffer): Made {
  const oid = der(0x30, der(0x06, Buffer.from([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, arc])))
  const spki = der(0x30, oid, der(0x03, Buffer.from([0]), publicKey))
  const old = new X509Certificate(template.certPem)
  const oldSpki = old.publicKey.export({ type: 'spki', format: 'der' })
  const at = template.der.indexOf(oldSpki)
  const tbsStart = 4 + 4 // two headers with lengths of two octets
  const tbsEnd = 4 + 4 + template.der.readUInt16BE(6)
  const tbs = der(0x30, template.der.subarray(tbsStart, at), spki, template.der.subarray(at + oldSpki.length, tbsEnd))
  const ecdsa = der(0x30, der(0x06, Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])))
  const whole = der(0x30, tbs, ecdsa, der(0x03, Buffer.from([0]), signer(tbs)))
  return { der: whole, certPem: '', keyPem: '' }
}

describe.each(SETS)('%s', (_, arc, mlDsa) => {
  it('takes pure signatures with an empty context, and no others', async () => {
    const { publicKey, secretKey } = mlDsa.keygen()
    const identity = certify(publicKey, arc, (tbs) => sign('sha256', tbs, root.keyPem))
    const send = (context?: Uint8Array) =>
      post(ra, {
        identity,
        algorithm: 'AWS4-X509-MLDSA',
        signer: (message) =>
          Buffer.from(mlDsa.sign(message, secretKey, { extraEntropy: false, ...(context && { context }) })),
      })
    expect((await send()).status).toBe(201)
    expect(ra.calls.at(-1)).toMatchObject({ algorithm: 'AWS4-X509-MLDSA', subject: 'CN=worked.example' })
    expect((await send(Buffer.from('x'))).json).toEqual({ message: 'Invalid signature' })
    const short = await post(ra, { identity, algorithm: 'AWS4-X509-MLDSA', signer: () => Buffer.alloc(256) })
    expect(short.json).toEqual({ message: 'Invalid signature' })
  })
})
