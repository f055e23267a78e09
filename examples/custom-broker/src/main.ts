// A broker of one's own: verifier, policy, issuer and audit sink are ours, the rest is broker-core's.
import { createHash } from 'node:crypto'
import { appendFile, readFile } from 'node:fs/promises'
import * as tee from '@hardbound/attestation-verify'
import * as core from '@hardbound/broker-core'

type Setting = 'AUDIENCE' | 'AUDIT_LOG' | 'IMAGES' | 'PORT' | 'TLS_CERT' | 'TLS_KEY' | 'VAULT_ADDR' | 'VAULT_TOKEN'
const env = process.env as Record<Setting, string>

// Verifier: Google's, and one check more.
const google = tee.createGoogleVerifier({ keys: tee.createRemoteKeySet({ url: tee.GOOGLE_JWKS_URL }) })
const verify: core.AttestationVerifier['verify'] = async (...call) => {
  const it = await google.verify(...call)
  if (it.claims.kind === 'confidential-space' && it.claims.supportAttributes.includes('LATEST')) return it
  throw new tee.AttestationError('ERR_ATTESTATION_REJECTED', 'claim.support_attributes', 'not the latest image')
}

// Policy: a JSON file of image digests, each with the ARN of its role. Vault calls the role by the last part of that.
const images = await readFile(env.IMAGES, 'utf8')
const roles = new Map(Object.entries(JSON.parse(images) as Record<string, string>))
const deny = (reason: string) => ({ allow: false, code: 'policy_denied', reason }) as const
const decide: core.Policy['decide'] = ({ attestation: { claims }, request }) => {
  if (claims.kind !== 'confidential-space') return deny('claim.kind')
  const { imageDigest = '', cmdOverride, envOverride } = claims.container
  const arn = roles.get(imageDigest)
  if (arn === undefined) return deny('claim.image_digest')
  if (cmdOverride.length + Object.keys(envOverride).length > 0) return deny('claim.override') // the operator's doing
  if (request.target !== 'aws' || (request.roleArn ?? arn) !== arn) return deny('request.role_arn')
  const seconds = Math.min(request.durationSeconds ?? 900, 3600)
  return { allow: true, rule: imageDigest, grant: { target: 'vault', role: arn.split('/').at(-1), seconds } }
}
const policy = { version: createHash('sha256').update(images).digest('hex'), decide, explain: () => [] }

// Issuer: Vault's AWS secrets engine, with roles of type assumed_role.
const issue: core.CredentialIssuer['issue'] = async (grant, { signal }) => {
  const { role, seconds } = grant as { role: string; seconds: number } & core.Grant
  const [headers, body] = [{ 'x-vault-token': env.VAULT_TOKEN }, JSON.stringify({ ttl: seconds })]
  const call = { method: 'POST', headers, body, signal, redirect: 'error' } as const
  const answer = await fetch(`${env.VAULT_ADDR}/v1/aws/sts/${role}`, call).catch(() => undefined)
  if (!answer?.ok) throw new core.BrokerError(answer ? 'upstream_rejected' : 'upstream_unavailable', 'vault.answer')
  const { data, lease_duration } = (await answer.json()) as { data: Record<string, string>; lease_duration: number }
  const { access_key: AccessKeyId = '', secret_key: SecretAccessKey = '', security_token: SessionToken = '' } = data
  const expiresAt = Math.floor(Date.now() / 1000) + lease_duration
  const end = { Expiration: new Date(expiresAt * 1000).toISOString(), AssumedRoleArn: data.arn ?? '' }
  const keys = { Version: 1, AccessKeyId, SecretAccessKey, SessionToken, ...end }
  return { body: keys, expiresAt, audit: { aws_access_key_id: AccessKeyId } }
}

// Audit sink: a line of JSON, on disk before the answer leaves.
const append: core.AuditSink['append'] = (record) =>
  appendFile(env.AUDIT_LOG, `${JSON.stringify({ time: new Date(), ...record })}\n`, { flush: true, mode: 0o600 })
const audit = { append, ready: () => true, close: async () => {} }

const parts = { verifier: { ...google, verify }, policy, issuers: [{ target: 'vault', issue }], audit }
const broker = core.createBroker({ ...parts, audience: env.AUDIENCE })
const tls = { cert: await readFile(env.TLS_CERT), key: await readFile(env.TLS_KEY) }
export const server = core.createBrokerServer({ broker, tls })
export const { port } = await server.listen(Number(env.PORT), '0.0.0.0')
