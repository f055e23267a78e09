import { RolesAnywhereError, type RolesAnywhereErrorCode } from '../errors.ts'

/** What the errors of @hardbound/pkcs11 and @hardbound/tpm2 mean here. All others are `ERR_RA_DEVICE`. */
const CODES: Readonly<Record<string, RolesAnywhereErrorCode>> = {
  ERR_PKCS11_TOKEN_AMBIGUOUS: 'ERR_RA_SELECTOR',
  ERR_PKCS11_PIN: 'ERR_RA_PASSWORD',
  ERR_PKCS11_PIN_INCORRECT: 'ERR_RA_PASSWORD',
  ERR_PKCS11_PIN_COUNT_LOW: 'ERR_RA_PASSWORD',
  ERR_PKCS11_PIN_FINAL_TRY: 'ERR_RA_PASSWORD',
  ERR_PKCS11_PIN_LOCKED: 'ERR_RA_PASSWORD',
  ERR_PKCS11_OBJECT: 'ERR_RA_KEY',
  ERR_PKCS11_KEY: 'ERR_RA_KEY',
  ERR_PKCS11_SIGNATURE: 'ERR_RA_KEY',
  ERR_PKCS11_TIMEOUT: 'ERR_RA_TIMEOUT',
  ERR_PKCS11_ABORTED: 'ERR_RA_ABORTED',
  ERR_PKCS11_CLOSED: 'ERR_RA_CLOSED',
  ERR_TPM_AUTH_FAIL: 'ERR_RA_PASSWORD',
  ERR_TPM_LOCKOUT: 'ERR_RA_PASSWORD',
  ERR_TPM_POLICY_FAIL: 'ERR_RA_KEY',
  ERR_TPM_UNTRUSTED: 'ERR_RA_KEY',
  ERR_TPM_KEY_FILE: 'ERR_RA_KEY',
  ERR_TPM_KEY: 'ERR_RA_KEY',
  ERR_TPM_KEY_CHANGED: 'ERR_RA_KEY',
  ERR_TPM_SCHEME: 'ERR_RA_KEY',
  ERR_TPM_TIMEOUT: 'ERR_RA_TIMEOUT',
  ERR_TPM_ABORTED: 'ERR_RA_ABORTED',
  ERR_TPM_CLOSED: 'ERR_RA_CLOSED',
}

/** Runs what asks a device, and puts its errors in our words. Their messages have no secrets, so they may be a cause. */
export async function fromDevice<T>(device: 'PKCS #11' | 'TPM', work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Error) || !['Pkcs11Error', 'Tpm2Error'].includes(error.name)) throw error
    const code = CODES[String((error as NodeJS.ErrnoException).code)] ?? 'ERR_RA_DEVICE'
    throw new RolesAnywhereError(code, `${device}: ${error.message}`, { cause: error })
  }
}
