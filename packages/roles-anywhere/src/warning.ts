/** Codes of what is worth saying although it does not stop anything. */
export type RolesAnywhereWarningCode =
  | 'WARN_RA_EXPIRES_SOON' // the certificate is about to end
  | 'WARN_RA_CERTIFICATE' // the service would refuse the certificate by its own rules; with `certificateRules: 'warn'`
  | 'WARN_RA_ANSWER' // the answer is not quite one of the service, or not for the role that was asked for; with `answerRules: 'warn'`
  | 'WARN_RA_CHAIN' // there are intermediates, and none of them issued the certificate
  | 'WARN_RA_CLOCK' // this machine's clock is wrong; the request was signed by that of the service
  | 'WARN_RA_RETRY' // a try failed, and there will be another
  | 'WARN_RA_KEY_EXPOSED' // others may read or change the file with the private key
  | 'WARN_RA_RELOAD' // what is there now can't be used, so what was there before is

/** Of a session (`onWarning` there) and of identities and stores (`onWarning` of each). */
export interface RolesAnywhereWarning {
  readonly code: RolesAnywhereWarningCode
  /** For a person. It names files and devices, and nothing that is in them. */
  readonly message: string
}

/** It must not throw. */
export type OnRolesAnywhereWarning = (warning: RolesAnywhereWarning) => void
