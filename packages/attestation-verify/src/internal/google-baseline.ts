import type { ConfidentialSpaceBaseline } from './confidential-space.ts'

/** What Google's two verifiers have in common. */
export interface GoogleBaselineInit {
  /** Accepted `hwmodel` values. Default: `GCP_AMD_SEV`, `GCP_AMD_SEV_ES`, `GCP_INTEL_TDX`. */
  readonly acceptedHwmodels?: readonly string[]
  /** Milliseconds since the epoch. Default: the machine's clock. Clocks may be 30 s apart. */
  readonly clock?: () => number
  /**
   * Accepts debug images, whose operator can log in and read everything. They are not STABLE either, so this needs
   * `dangerouslyAllowUnsupportedImages` beside it. Default: false.
   */
  readonly dangerouslyAllowDebugImages?: boolean
  /** Accepts images without STABLE among their support attributes: retired or experimental ones. Default: false. */
  readonly dangerouslyAllowUnsupportedImages?: boolean
  /** Answers for this exact `iss` in place of Google's: an issuer of test tokens. */
  readonly dangerouslyTrustIssuer?: string
}

const HWMODELS = ['GCP_AMD_SEV', 'GCP_AMD_SEV_ES', 'GCP_INTEL_TDX']
const EAT_PROFILE = 'https://cloud.google.com/confidential-computing/confidential-space/docs/reference/token-claims'

/** @throws {TypeError} for lists that could not be meant. */
export function googleBaseline(init: GoogleBaselineInit): ConfidentialSpaceBaseline {
  const hwmodels = init.acceptedHwmodels ?? HWMODELS
  if (hwmodels.length === 0) throw new TypeError('"acceptedHwmodels" must not be empty')
  if (hwmodels.includes('GCP_SHIELDED_VM')) throw new TypeError('"GCP_SHIELDED_VM" has no memory encryption')
  return {
    hwmodels,
    // The documentation spells the debug value both ways.
    dbgstats: ['disabled-since-boot', ...(init.dangerouslyAllowDebugImages === true ? ['enabled', 'enable'] : [])],
    eatProfile: EAT_PROFILE,
    stable: init.dangerouslyAllowUnsupportedImages !== true,
  }
}

/** The one `iss` the verifier answers for. */
export function googleIssuer({ dangerouslyTrustIssuer }: GoogleBaselineInit): string {
  if (dangerouslyTrustIssuer === '') throw new TypeError('"dangerouslyTrustIssuer" must not be empty')
  return dangerouslyTrustIssuer ?? 'https://confidentialcomputing.googleapis.com'
}
