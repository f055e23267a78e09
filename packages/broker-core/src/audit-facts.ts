import type { VerifiedAttestation } from '@hardbound/attestation-verify'
import type { Grant, Peer } from './types.ts'

/** What a record says beside its event: flat, and free of secrets. */
export type Facts = Record<string, string | number | boolean | undefined>

/** Who asked. */
export function peerFacts(peer: Peer): Facts {
  return { peer_address: peer.address, peer_spki_sha256: peer.spkiSha256 }
}

/** Which workload it is, by ids and hashes; never its environment, its arguments or its token. */
export function attestationFacts({
  issuer,
  verifier,
  keyId,
  tokenSha256,
  issuedAt,
  claims,
}: VerifiedAttestation): Facts {
  const token = { issuer, verifier, key_id: keyId, token_sha256: tokenSha256, issued_at: issuedAt, tee: claims.kind }
  switch (claims.kind) {
    case 'confidential-space':
      return {
        ...token,
        image_digest: claims.container.imageDigest,
        project_number: claims.gce.projectNumber,
        instance_id: claims.gce.instanceId,
        zone: claims.gce.zone,
        hwmodel: claims.hwmodel,
      }
    case 'tdx':
      return { ...token, mrtd: claims.mrtd }
    case 'sev-snp':
      return { ...token, launch_measurement: claims.launchMeasurement, vm_id: claims.vmId }
  }
}

/** What is about to be granted. */
export function grantFacts(grant: Grant): Facts {
  if (grant.target !== 'aws' || !('roleSessionName' in grant)) return { target: grant.target }
  const { action, roleArn, durationSeconds, roleSessionName, sourceIdentity } = grant as import('./types.ts').AwsGrant
  return {
    target: 'aws',
    aws_action: action,
    role_arn: roleArn,
    duration_seconds: durationSeconds,
    role_session_name: roleSessionName,
    source_identity: sourceIdentity,
  }
}
