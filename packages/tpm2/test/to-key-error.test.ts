import { describe, expect, it } from '@jest/globals'
import { Tpm2Error } from '../src/errors.ts'
import { errorOf } from '../src/internal/response-code.ts'
import { isFinalTpmError, toKeyError } from '../src/keys/to-key-error.ts'

describe('toKeyError', () => {
  it.each([
    ['TPM_RC_HANDLE, handle 1', 0x18b, 'ERR_TPM_KEY', false],
    ['TPM_RC_INTEGRITY, parameter 1', 0x1df, 'ERR_TPM_KEY', false],
    ['TPM_RC_NV_DEFINED', 0x14c, 'ERR_TPM_KEY', false],
    ['TPM_RC_REFERENCE_H0', 0x910, 'ERR_TPM_KEY', false],
    ['TPM_RC_FAILURE', 0x101, 'ERR_TPM_RC', false],
    ['TPM_RC_OBJECT_MEMORY', 0x902, 'ERR_TPM_SLOTS', false],
    ['TPM_RC_AUTH_FAIL, session 1', 0x98e, 'ERR_TPM_AUTH_FAIL', true],
    ['TPM_RC_BAD_AUTH, handle 1', 0x1a2, 'ERR_TPM_AUTH_FAIL', true],
    ['TPM_RC_AUTH_FAIL, session 2', 0xa8e, 'ERR_TPM_RESPONSE', false],
    ['TPM_RC_POLICY_FAIL, session 1', 0x99d, 'ERR_TPM_POLICY_FAIL', true],
    ['TPM_RC_LOCKOUT', 0x921, 'ERR_TPM_LOCKOUT', false],
  ])('%s is %s', (_, rc, code, final) => {
    const cause = errorOf('TPM2_Sign', rc)
    const error = toKeyError(cause)
    const about = code === 'ERR_TPM_AUTH_FAIL' ? `the password is wrong, or missing (${cause.message})` : cause.message
    expect(error).toMatchObject({ name: 'Tpm2Error', code, rc, message: about })
    expect(toKeyError(error)).toMatchObject({ message: about })
    expect(isFinalTpmError(error)).toBe(final)
  })
  it('takes what ended in the middle of our work for a broken connection', () => {
    expect(toKeyError(new Tpm2Error('ERR_TPM_CLOSED', 'gone'))).toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
  })
  it('leaves the rest as it is', () => {
    const other = new Error('other')
    expect(toKeyError(other)).toBe(other)
    expect(isFinalTpmError(other)).toBe(false)
  })
})
