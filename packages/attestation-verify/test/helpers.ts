import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { expect } from '@jest/globals'
import { type AttestationCheck, createStaticKeySet, type KeySource } from '../src/index.ts'

/** The time of every test: 2026-11-22T12:00:00Z. */
export const NOW = 1_795_348_800
export const clock = (): number => NOW * 1000
export const AUDIENCE = 'https://broker.example.com'
export const EXPECTED = { audience: AUDIENCE }
export const NONCE = 'n0nce-of-43-characters-as-binding-v2-makes-it'

export interface TestKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: Record<string, unknown>
}

export function makeKey(kid: string, modulusLength = 2048, publicExponent = 65_537): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength, publicExponent })
  return { kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' } }
}

export const keySet = (...keys: TestKey[]): KeySource => createStaticKeySet({ keys: keys.map(({ jwk }) => jwk) })

export const base64url = (data: string | Uint8Array): string => Buffer.from(data).toString('base64url')

/** Signs any two texts, RS256. */
export function signTexts(header: string, payload: string | Uint8Array, key: TestKey): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${sign('sha256', Buffer.from(input), key.privateKey).toString('base64url')}`
}

/** A token with the usual header; a parameter that is `undefined` is left out. */
export function signToken(payload: object, key: TestKey, header: object = {}): string {
  return signTexts(JSON.stringify({ alg: 'RS256', kid: key.kid, typ: 'JWT', ...header }), JSON.stringify(payload), key)
}

export type Claims = Record<string, unknown>

/** A Confidential Space payload; `changes` go from dotted paths to values, `undefined` deletes. */
export function workload(changes: Claims = {}): Claims {
  return changed(
    {
      iss: 'https://confidentialcomputing.googleapis.com',
      aud: AUDIENCE,
      sub: 'https://www.googleapis.com/compute/v1/projects/example/zones/us-central1-a/instances/workload',
      iat: NOW,
      nbf: NOW,
      exp: NOW + 3600,
      eat_nonce: NONCE,
      eat_profile: 'https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims',
      secboot: true,
      oemid: 11129,
      hwmodel: 'GCP_INTEL_TDX',
      swname: 'CONFIDENTIAL_SPACE',
      swversion: ['260100'],
      attester_tcb: ['INTEL'],
      tdx: { gcp_attester_tcb_status: 'UpToDate', gcp_attester_tcb_date: '2024-03-13T00:00:00Z' },
      dbgstat: 'disabled-since-boot',
      google_service_accounts: ['workload@example.iam.gserviceaccount.com'],
      submods: {
        confidential_space: {
          support_attributes: ['LATEST', 'STABLE', 'USABLE'],
          monitoring_enabled: { memory: false },
        },
        container: {
          image_reference: 'us-docker.pkg.dev/example/images/workload:latest',
          image_digest: `sha256:${'ab'.repeat(32)}`,
          image_id: `sha256:${'cd'.repeat(32)}`,
          restart_policy: 'Never',
          args: ['/workload'],
          env: { HOSTNAME: 'workload' },
        },
        gce: {
          zone: 'us-central1-a',
          project_id: 'example',
          project_number: '111122223333',
          instance_name: 'workload',
          instance_id: '6920867375712861823',
        },
      },
    },
    changes,
  )
}

/** Applies changes by path: `a.b`, or `x-ms-a>b` where names have dots or hyphens in them. */
export function changed(claims: Claims, changes: Claims): Claims {
  for (const [path, value] of Object.entries(changes)) {
    const names = path.includes('://') || path.startsWith('x-ms') ? path.split('>') : path.split('.')
    const last = names.pop() as string
    let at = claims
    for (const name of names) at = at[name] as Claims
    if (value === undefined) delete at[last]
    else at[last] = value
  }
  return claims
}

/** Matches the refusal of one check, by code. */
export const refusalOf = (check: AttestationCheck): unknown =>
  expect.objectContaining({ code: 'ERR_ATTESTATION_REJECTED', check })

export const KEYS_UNAVAILABLE: unknown = expect.objectContaining({
  code: 'ERR_ATTESTATION_KEYS_UNAVAILABLE',
  check: undefined,
})
