import { createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { createTestPki, startAws, type TestAws, type TestPki } from '@hardbound/testkit'
import { startRolesAnywhere, type TestRolesAnywhere } from '@hardbound/testkit/roles-anywhere'
import type { FromRolesAnywhereInit } from '../src/from-roles-anywhere.ts'
import type { X509Identity, X509IdentitySource } from '../src/types.ts'
import type { RolesAnywhereWarning } from '../src/warning.ts'

export const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45'
export const PROFILE = 'arn:aws:rolesanywhere:us-east-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45'
export const ROLE = 'arn:aws:iam::111122223333:role/path/reader'
export const MINUTE_MS = 60_000

/** A source of one identity, by node:crypto alone. `kept` counts what was asked of it. */
export function sourceOf(pem: { certPem: string; keyPem: string; chain?: Uint8Array[] }) {
  const key = createPrivateKey(pem.keyPem)
  const asked = { current: 0, sign: 0 }
  const identity: X509Identity = {
    certificate: new X509Certificate(pem.certPem).raw,
    chain: pem.chain ?? [],
    keyType: key.asymmetricKeyType as 'rsa' | 'ec',
    async sign(message, hash) {
      asked.sign++
      return sign(hash, message, key)
    },
  }
  const source: X509IdentitySource = {
    name: 'test',
    async current() {
      asked.current++
      return identity
    },
    async close() {},
  }
  return { source, identity, asked }
}

/** AWS with one role of one profile, and one machine that may have it. */
export interface Harness {
  readonly aws: TestAws
  readonly service: TestRolesAnywhere
  readonly pki: TestPki
  readonly client: ReturnType<typeof sourceOf>
  readonly warnings: RolesAnywhereWarning[]
  init(over?: Partial<FromRolesAnywhereInit>): FromRolesAnywhereInit
  close(): Promise<void>
}

export async function startHarness(options: { tls?: boolean; clock?: () => number } = {}): Promise<Harness> {
  const [aws, pki] = await Promise.all([startAws(), createTestPki()])
  const service = await startRolesAnywhere({ aws, ...options })
  service.addTrustAnchor({ arn: ANCHOR, caPem: pki.caPem })
  service.addProfile({ arn: PROFILE, roleArns: [ROLE], acceptRoleSessionName: true, durationSeconds: 7200 })
  const client = sourceOf(await pki.issue({ commonName: 'worked.example', usage: 'client' }))
  const warnings: RolesAnywhereWarning[] = []
  return {
    aws,
    service,
    pki,
    client,
    warnings,
    init: (over = {}) => ({
      identity: client.source,
      trustAnchorArn: ANCHOR,
      profileArn: PROFILE,
      roleArn: ROLE,
      endpoint: service.endpoint,
      onWarning: (warning) => void warnings.push(warning),
      ...over,
    }),
    close: async () => {
      await Promise.all([service.close(), aws.close()])
    },
  }
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('it was not rejected')
}
