import {
  type AttestationVerifier,
  createAttestationVerifiers,
  createAzureAttestationVerifier,
  createGooglePkiVerifier,
  createGoogleVerifier,
  createIntelVerifier,
  createRemoteKeySet,
  createStaticKeySet,
  GOOGLE_JWKS_URL,
  INTEL_JWKS_URL,
  type KeySetAlarm,
  type KeySource,
} from '@hardbound/attestation-verify'
import type { BrokerConfig, IssuerConfig } from '../broker-config.ts'
import type { Findings } from './config-error.ts'

/** Told when an issuer's keys can't be had. */
export type KeyAlarm = (issuer: IssuerConfig['type'], alarm: KeySetAlarm) => void

/**
 * One verifier for all of `attestation.issuers`; `undefined`, and problems, where there can be none. Everything that weakens
 * what a token proves is warned about.
 */
export async function attestationVerifiers(
  config: BrokerConfig,
  findings: Findings,
  onAlarm: KeyAlarm,
): Promise<AttestationVerifier | undefined> {
  const path = 'attestation.issuers'
  const verifiers: AttestationVerifier[] = []
  for (const [index, issuer] of config.attestation.issuers.entries()) {
    const at = `${path}[${index}]`
    warnOfDanger(issuer, at, findings)
    const keys = await keysOf(issuer, at, config, findings, (alarm) => onAlarm(issuer.type, alarm))
    const verifier = keys === undefined ? undefined : findings.attempt(at, () => verifierOf(issuer, keys))
    if (verifier !== undefined) verifiers.push(verifier)
  }
  return findings.attempt(path, () => createAttestationVerifiers(verifiers))
}

function verifierOf(issuer: IssuerConfig, keys: KeySource): AttestationVerifier {
  switch (issuer.type) {
    case 'google':
      return createGoogleVerifier({ keys, ...googleBaseline(issuer) })
    case 'google-pki':
      return createGooglePkiVerifier({
        ...googleBaseline(issuer),
        ...(issuer.root_sha256 === undefined ? {} : { rootSha256: issuer.root_sha256 }),
      })
    case 'intel':
      return createIntelVerifier({
        keys,
        ...(issuer.region === undefined ? {} : { region: issuer.region }),
        ...tcbStatuses(issuer),
        dangerouslyAcceptNoAudience: issuer.dangerously_accept_no_audience === true,
      })
    case 'azure':
      return createAzureAttestationVerifier({
        instances: [{ issuer: issuer.issuer, keys, policyHashes: issuer.policy_hashes }],
        ...tcbStatuses(issuer),
      })
  }
}

function googleBaseline(issuer: Extract<IssuerConfig, { type: 'google' | 'google-pki' }>) {
  return {
    ...(issuer.hwmodels === undefined ? {} : { acceptedHwmodels: issuer.hwmodels }),
    ...(issuer.dangerously_trust_issuer === undefined
      ? {}
      : { dangerouslyTrustIssuer: issuer.dangerously_trust_issuer }),
    dangerouslyAllowDebugImages: issuer.dangerously_allow_debug_images === true,
    dangerouslyAllowUnsupportedImages: issuer.dangerously_allow_unsupported_images === true,
  }
}

const tcbStatuses = ({ accepted_tcb_statuses: it }: { accepted_tcb_statuses?: string[] | undefined }) =>
  it === undefined ? {} : { acceptedTcbStatuses: it }

const NO_KEYS: KeySource = { getKey: () => Promise.resolve(undefined), ready: () => true }

async function keysOf(
  issuer: IssuerConfig,
  at: string,
  config: BrokerConfig,
  findings: Findings,
  onAlarm: (alarm: KeySetAlarm) => void,
): Promise<KeySource | undefined> {
  if (issuer.type === 'google-pki') return NO_KEYS // its tokens carry their certificates
  const { jwks_url: url, jwks_ca_file: caFile, jwks_file: keysFile } = issuer
  if (url !== undefined && keysFile !== undefined) findings.add(`${at}.jwks_file`, 'cannot stand beside jwks_url')
  if (caFile !== undefined && url === undefined) findings.add(`${at}.jwks_ca_file`, 'needs jwks_url')
  if (url !== undefined) findings.warn(`${at}.jwks_url`, `whoever answers there can make tokens of ${issuer.type}`)
  if (keysFile !== undefined) {
    findings.warn(`${at}.jwks_file`, 'keys from a file never change by themselves; the issuer rotates its own')
    const jwks = await findings.read(`${at}.jwks_file`, config.pathOf(keysFile))
    return jwks === undefined ? undefined : findings.attempt(at, () => createStaticKeySet(jwks))
  }
  const ca = caFile === undefined ? undefined : await findings.read(`${at}.jwks_ca_file`, config.pathOf(caFile))
  return findings.attempt(at, () =>
    createRemoteKeySet({ url: url ?? ownJwksUrl(issuer), onAlarm, ...(ca === undefined ? {} : { ca }) }),
  )
}

function ownJwksUrl(issuer: Exclude<IssuerConfig, { type: 'google-pki' }>): string {
  switch (issuer.type) {
    case 'google':
      return GOOGLE_JWKS_URL
    case 'intel':
      return issuer.region === 'eu' ? 'https://portal.eu.trustauthority.intel.com/certs' : INTEL_JWKS_URL
    case 'azure':
      return `${issuer.issuer}/certs`
  }
}

const DANGERS: Readonly<Record<string, string>> = {
  dangerously_allow_debug_images: 'operators of debug images can log in, and read and change everything in them',
  dangerously_allow_unsupported_images: 'images that Google no longer supports are accepted',
  dangerously_trust_issuer: "tokens of another issuer than Google's are accepted",
  dangerously_accept_no_audience: 'tokens that name nobody as their reader are accepted',
  root_sha256: "whoever holds these roots can make tokens in Google's place",
}

function warnOfDanger(issuer: IssuerConfig, at: string, findings: Findings): void {
  for (const [key, value] of Object.entries(issuer)) {
    const danger = DANGERS[key]
    if (danger !== undefined && value !== undefined && value !== false) findings.warn(`${at}.${key}`, danger)
  }
}
