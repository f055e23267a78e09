import { generateKeyPairSync, sign } from 'node:crypto'
import {
  AttestationError,
  type AttestationVerifier,
  createAzureAttestationVerifier,
  createGoogleVerifier,
  createIntelVerifier,
  createStaticKeySet,
  decodeUnverified,
  type GoogleBaselineInit,
  type JsonObject,
  type KeySource,
  type VerifiedAttestation,
} from '@hardbound/attestation-verify'
import { CliError } from '../cli-error.ts'
import { issuerKind } from './issuer-kind.ts'

const KEY_ID = 'unverified'
const AUDIENCE = 'https://unverified.invalid'

/**
 * Reads a token as a policy would see it had a verifier accepted it, whether or not one would: for trying rules, and for
 * nothing else. The claims are signed anew with a throw-away key, and given to a verifier that trusts that key alone and
 * lets through all that a broker's configuration could let through.
 *
 * @throws {CliError} where no configuration makes a broker accept the claims.
 */
export async function readUnverified(token: string): Promise<VerifiedAttestation> {
  const { header, payload } = decode(token)
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const keys = createStaticKeySet({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KEY_ID, alg: 'RS256' }] })
  const input = `${encode({ alg: 'RS256', typ: 'JWT', kid: KEY_ID })}.${encode(renewed(payload))}`
  const signed = `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
  try {
    const attestation = await verifierOf(payload, keys).verify(signed, { audience: AUDIENCE })
    const isPki = attestation.verifier === 'google' && Object.hasOwn(header, 'x5c')
    return { ...attestation, verifier: isPki ? 'google-pki' : attestation.verifier, assertion: payload }
  } catch (cause) {
    if (!(cause instanceof AttestationError)) throw cause
    throw new CliError(`a broker refuses this token before it asks the policy: ${cause.check ?? cause.code}`, { cause })
  }
}

function decode(token: string): ReturnType<typeof decodeUnverified> {
  try {
    return decodeUnverified(token)
  } catch (cause) {
    if (!(cause instanceof AttestationError)) throw cause
    throw new CliError(`this is no attestation token: ${cause.check ?? cause.code}`, { cause })
  }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function verifierOf(payload: JsonObject, keys: KeySource): AttestationVerifier {
  const kind = issuerKind(payload)
  const acceptedTcbStatuses = [
    textOf(payload.attester_tcb_status ?? objectOf(payload.tdx).attester_tcb_status) || 'none',
  ]
  switch (kind.type) {
    case 'google':
      return createGoogleVerifier({ keys, ...googleLeniency(payload) })
    case 'intel':
      return createIntelVerifier({ keys, region: kind.region, acceptedTcbStatuses, dangerouslyAcceptNoAudience: true })
    case 'azure':
      return createAzureAttestationVerifier({
        instances: [{ issuer: kind.issuer, keys, policyHashes: [kind.policyHash] }],
        acceptedTcbStatuses,
      })
  }
}

function googleLeniency(payload: JsonObject): GoogleBaselineInit {
  const [hwmodel, iss] = [textOf(payload.hwmodel), textOf(payload.iss)]
  return {
    dangerouslyAllowDebugImages: true,
    dangerouslyAllowUnsupportedImages: true,
    ...(hwmodel === '' || hwmodel === 'GCP_SHIELDED_VM' ? {} : { acceptedHwmodels: [hwmodel] }),
    ...(iss === '' ? {} : { dangerouslyTrustIssuer: iss }),
  }
}

/** The same claims, made now and for {@link AUDIENCE}, which Azure's tokens name in their runtime data. */
function renewed(payload: JsonObject): JsonObject {
  const now = Math.floor(Date.now() / 1000)
  const claims = { ...payload, aud: AUDIENCE, iat: now, nbf: now, exp: now + 300 }
  const runtime = payload['x-ms-runtime']
  if (!isObject(runtime)) return claims
  const inner = runtime['client-payload']
  const audience = isObject(inner)
    ? { 'client-payload': { ...inner, audience: Buffer.from(AUDIENCE).toString('base64') } }
    : { audience: AUDIENCE }
  return { ...claims, 'x-ms-runtime': { ...runtime, ...audience } }
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {})
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
