import type { VerifiedAttestation } from '@hardbound/attestation-verify'
import type { AwsGrant, AzureGrant, Grant, Peer } from './types.ts'

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
  if (isAzure(grant)) {
    const { tenantId, clientId, scope } = grant
    return { target: 'azure', azure_tenant_id: tenantId, azure_client_id: clientId, azure_scope: scope }
  }
  if (!isAws(grant)) return { target: grant.target }
  const { action, roleArn, durationSeconds, roleSessionName, sourceIdentity } = grant
  return {
    target: 'aws',
    aws_action: action,
    role_arn: roleArn,
    duration_seconds: durationSeconds,
    role_session_name: roleSessionName,
    source_identity: sourceIdentity,
  }
}

// Targets of one's own may have any name, and other fields.
const isAws = (grant: Grant): grant is AwsGrant => grant.target === 'aws' && 'roleSessionName' in grant
const isAzure = (grant: Grant): grant is AzureGrant => grant.target === 'azure' && 'tenantId' in grant
