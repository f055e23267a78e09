/** What a Confidential Space token says about its workload: all but `iss`, `aud`, `eat_nonce` and the times. */
export interface WorkloadClaims {
  sub: string
  secboot: boolean
  oemid: number
  hwmodel: string
  swname: string
  swversion: string[]
  attester_tcb?: string[]
  /** TDX only. An object in real tokens, although the documentation says an array. */
  tdx?: { gcp_attester_tcb_status: string; gcp_attester_tcb_date: string }
  dbgstat: string
  eat_profile: string
  google_service_accounts: string[]
  submods: {
    confidential_space: { monitoring_enabled: { memory: boolean }; support_attributes?: string[] }
    /** Real production tokens leave out `cmd_override`, `env_override` and `image_signatures` when empty. */
    container: {
      image_reference: string
      image_digest: string
      image_id: string
      restart_policy: string
      args: string[]
      env: Record<string, string>
    }
    gce: { zone: string; project_id: string; project_number: string; instance_name: string; instance_id: string }
  }
}

/**
 * The payload of a workload on a STABLE production image, fresh with each call.
 *
 * @param o.tee Default: `SEV`.
 */
export function productionClaims(o: { tee?: 'SEV' | 'TDX' } = {}): WorkloadClaims {
  const claims = commonClaims()
  claims.dbgstat = 'disabled-since-boot'
  claims.submods.confidential_space.support_attributes = ['LATEST', 'STABLE', 'USABLE']
  if (o.tee === 'TDX') {
    claims.hwmodel = 'GCP_INTEL_TDX'
    claims.attester_tcb = ['INTEL']
    claims.tdx = { gcp_attester_tcb_status: 'UpToDate', gcp_attester_tcb_date: '2024-03-13T00:00:00Z' }
  }
  return claims
}

/** The same workload on a debug image: it differs in `dbgstat`, and in having no support attributes at all. */
export function debugClaims(): WorkloadClaims {
  return commonClaims()
}

function commonClaims(): WorkloadClaims {
  return {
    sub: 'https://www.googleapis.com/compute/v1/projects/example-project/zones/us-central1-a/instances/workload-1',
    secboot: true,
    oemid: 11129,
    hwmodel: 'GCP_AMD_SEV',
    swname: 'CONFIDENTIAL_SPACE',
    swversion: ['250800'],
    dbgstat: 'enabled',
    eat_profile: 'https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims',
    google_service_accounts: ['workload@example-project.iam.gserviceaccount.com'],
    submods: {
      confidential_space: { monitoring_enabled: { memory: false } },
      container: {
        image_reference: 'us-docker.pkg.dev/example-project/apps/workload:1.0',
        image_digest: `sha256:${'1f'.repeat(32)}`,
        image_id: `sha256:${'2e'.repeat(32)}`,
        restart_policy: 'Never',
        args: ['/workload'],
        env: { HOSTNAME: 'workload-1', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      },
      gce: {
        zone: 'us-central1-a',
        project_id: 'example-project',
        project_number: '123456789012',
        instance_name: 'workload-1',
        instance_id: '4567890123456789012',
      },
    },
  }
}
