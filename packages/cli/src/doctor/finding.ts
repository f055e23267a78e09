/** Names of the checks, in the order in which they are shown. Scripts rely on them: none is ever renamed. */
export const CHECKS = ['node', 'launcher', 'tpm', 'pkcs11', 'clock', 'broker', 'aws-config'] as const

/** One of {@link CHECKS}. */
export type CheckName = (typeof CHECKS)[number]

/** `absent`: not on this machine, which is fine unless it is wanted here. */
export type FindingStatus = 'ok' | 'warning' | 'problem' | 'absent'

/** One thing that a check has seen. Neither text holds a secret, or a value that could be one. */
export interface Finding {
  readonly check: CheckName
  readonly status: FindingStatus
  readonly message: string
  /** What to do about it. */
  readonly cure?: string
}

/** Makes the findings of one check. */
export const findingsOf = (check: CheckName) => {
  const make =
    (status: FindingStatus) =>
    (message: string, cure?: string): Finding => ({ check, status, message, ...(cure === undefined ? {} : { cure }) })
  return { ok: make('ok'), warning: make('warning'), problem: make('problem'), absent: make('absent') }
}

/** What a thrown value may say: the message of an error of ours, and of no other. */
export function ownMessage(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return error instanceof Error && OURS.test(code) ? error.message : undefined
}

const OURS = /^ERR_(TPM|PKCS11|EKM|BROKER|ATTESTATION)_/
