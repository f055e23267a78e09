import { AwsRefusal } from '../errors.ts'
import type { Principal } from './accounts.ts'

type Params = Readonly<Record<string, string>>

// STS API Reference, AssumeRole and GetSessionToken: SerialNumber, TokenCode.
const SERIAL_NUMBER = /^[\w+=/:,.@-]{9,256}$/
const TOKEN_CODE = /^\d{6}$/

/**
 * Checks a device and its code. A code is good once.
 *
 * @returns Whether there was one.
 * @throws {AwsRefusal} `ValidationError`, `AccessDenied`
 */
export function checkMfa({ SerialNumber, TokenCode }: Params, caller: Principal): boolean {
  if (SerialNumber === undefined && TokenCode === undefined) return false
  if (SerialNumber !== undefined && !SERIAL_NUMBER.test(SerialNumber)) throw invalid('SerialNumber')
  if (TokenCode !== undefined && !TOKEN_CODE.test(TokenCode)) throw invalid('TokenCode')
  if (SerialNumber === undefined || TokenCode === undefined) {
    throw denied('must provide both MFA serial number and one time pass code.')
  }
  if (caller.mfa?.serialNumber !== SerialNumber) throw denied('unable to validate MFA code.')
  if (!caller.mfa.tokenCodes.delete(TokenCode)) throw denied('invalid MFA one time pass code.')
  return true
}

const denied = (why: string): AwsRefusal => new AwsRefusal('AccessDenied', `MultiFactorAuthentication failed, ${why}`)
const invalid = (name: string): AwsRefusal =>
  new AwsRefusal('ValidationError', `1 validation error detected: value at '${name}' failed to satisfy constraint`)
