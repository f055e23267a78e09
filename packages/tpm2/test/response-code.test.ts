import { describe, expect, it } from '@jest/globals'
import { Tpm2Error } from '../src/index.ts'
import { errorOf } from '../src/internal/response-code.ts'

describe('errorOf', () => {
  it.each([
    [0x100, 'ERR_TPM_RC', 'TPM_RC_INITIALIZE (0x100)'],
    [0x101, 'ERR_TPM_RC', 'TPM_RC_FAILURE (0x101)'],
    [0x128, 'ERR_TPM_POLICY_FAIL', 'TPM_RC_PCR_CHANGED (0x128)'],
    [0x18b, 'ERR_TPM_RC', 'TPM_RC_HANDLE, handle 1 (0x18b)'],
    [0x08b, 'ERR_TPM_RC', 'TPM_RC_HANDLE (0x08b)'],
    [0x1df, 'ERR_TPM_RC', 'TPM_RC_INTEGRITY, parameter 1 (0x1df)'],
    [0xfd5, 'ERR_TPM_RC', 'TPM_RC_SIZE, parameter 15 (0xfd5)'],
    [0x98e, 'ERR_TPM_AUTH_FAIL', 'TPM_RC_AUTH_FAIL, session 1 (0x98e)'],
    [0x9a2, 'ERR_TPM_AUTH_FAIL', 'TPM_RC_BAD_AUTH, session 1 (0x9a2)'],
    [0x99d, 'ERR_TPM_POLICY_FAIL', 'TPM_RC_POLICY_FAIL, session 1 (0x99d)'],
    [0x902, 'ERR_TPM_SLOTS', 'TPM_RC_OBJECT_MEMORY (0x902)'],
    [0x903, 'ERR_TPM_SLOTS', 'TPM_RC_SESSION_MEMORY (0x903)'],
    [0x905, 'ERR_TPM_SLOTS', 'TPM_RC_SESSION_HANDLES (0x905)'],
    [0x908, 'ERR_TPM_BUSY', 'TPM_RC_YIELDED (0x908)'],
    [0x921, 'ERR_TPM_LOCKOUT', 'TPM_RC_LOCKOUT (0x921)'],
    [0xb0143, 'ERR_TPM_RC', 'TPM_RC_COMMAND_CODE from the resource manager (0xb0143)'],
    [0xb0903, 'ERR_TPM_SLOTS', 'TPM_RC_SESSION_MEMORY from the resource manager (0xb0903)'],
    [0x1fe, 'ERR_TPM_RC', 'TPM_RC, parameter 1 (0x1fe)'],
    [0xffffffff, 'ERR_TPM_RC', 'TPM_RC, parameter 15 from the resource manager (0xffffffff)'],
  ])('0x%s', (rc, code, text) => {
    const error = errorOf('TPM2_Load', rc)
    expect(error).toBeInstanceOf(Tpm2Error)
    expect(error).toMatchObject({ name: 'Tpm2Error', code, rc, message: `TPM2_Load: ${text}` })
  })
})
