/** One signature of a container image: `submods.container.image_signatures[]`. */
export interface ImageSignature {
  /** Hex SHA-256 of the signer's SubjectPublicKeyInfo DER. */
  readonly keyId: string
  /** `RSASSA_PSS_SHA256`, `RSASSA_PKCS1V15_SHA256` or `ECDSA_P256_SHA256`. */
  readonly signatureAlgorithm: string
}

/**
 * Claims of a Google Confidential Space token, issued by Google or by Intel Trust Authority. Lists are empty and maps are
 * empty where the claim is absent, null or empty.
 */
export interface ConfidentialSpaceClaims {
  readonly kind: 'confidential-space'
  /** VM selfLink. */
  readonly subject: string
  readonly eatProfile: string | undefined
  readonly secboot: boolean | undefined
  readonly oemid: number | undefined
  readonly hwmodel: string | undefined
  readonly swname: string | undefined
  readonly swversion: readonly string[]
  readonly dbgstat: string | undefined
  readonly attesterTcb: readonly string[]
  /** From `tdx`, an object or an array of one. */
  readonly tdx: { readonly tcbStatus: string | undefined; readonly tcbDate: string | undefined } | undefined
  readonly googleServiceAccounts: readonly string[]
  readonly supportAttributes: readonly string[]
  readonly memoryMonitoring: boolean | undefined
  readonly container: {
    readonly imageReference: string | undefined
    readonly imageDigest: string | undefined
    readonly imageId: string | undefined
    readonly imageSignatures: readonly ImageSignature[]
    readonly restartPolicy: string | undefined
    readonly args: readonly string[]
    readonly cmdOverride: readonly string[]
    /** May hold secrets of the workload: never log it. */
    readonly env: Readonly<Record<string, string>>
    readonly envOverride: Readonly<Record<string, string>>
  }
  /** Numbers are strings: they are 64 bits wide. */
  readonly gce: {
    readonly zone: string | undefined
    readonly projectId: string | undefined
    readonly projectNumber: string | undefined
    readonly instanceName: string | undefined
    readonly instanceId: string | undefined
  }
  /** From `submods.nvidia_gpu`. */
  readonly gpu: { readonly ccMode: string | undefined } | undefined
}

/** Claims of an Intel TDX quote, from an Intel Trust Authority token (v1 flat or v2 nested) or Azure Attestation. */
export interface TdxClaims {
  readonly kind: 'tdx'
  readonly dbgstat: string | undefined
  readonly debuggable: boolean | undefined
  readonly tcbStatus: string | undefined
  readonly tcbDate: string | undefined
  /** Hex, lower case. */
  readonly mrtd: string | undefined
  readonly rtmr: readonly (string | undefined)[]
  readonly reportData: string | undefined
}

/** Claims of an AMD SEV-SNP report, from Azure Attestation. */
export interface SevSnpClaims {
  readonly kind: 'sev-snp'
  readonly debuggable: boolean | undefined
  readonly complianceStatus: string | undefined
  readonly launchMeasurement: string | undefined
  readonly hostData: string | undefined
  readonly reportData: string | undefined
  readonly vmId: string | undefined
}

export type AttestationClaims = ConfidentialSpaceClaims | TdxClaims | SevSnpClaims
