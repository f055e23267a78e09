import { describe, expect, it } from '@jest/globals'
import { refusalOf } from '../src/refusal.ts'

const refusal = (status: number, headers: Record<string, string>, body: unknown) =>
  refusalOf(
    { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) },
    'ra.example.com',
  )

describe('refusalOf', () => {
  it.each([
    ['the header', { 'x-amzn-errortype': 'AccessDeniedException:http://internal.example.com/' }, {}],
    ['"code"', {}, { code: 'AccessDeniedException' }],
    ['"__type"', {}, { __type: 'com.amazonaws.rolesanywhere#AccessDeniedException' }],
  ])('finds the code in %s', (_, headers, body) => {
    expect(refusal(403, headers, body)).toMatchObject({ code: 'ERR_RA_REFUSED', awsCode: 'AccessDeniedException' })
  })

  it.each([
    ['Untrusted signing certificate', 'does not lead to the trust anchor'],
    ['Untrusted certificate. Insufficient certificate', 'digitalSignature'],
    ['Untrusted signing certificate: Certificate revoked', 'have a new one issued'],
    ['Invalid signature', 'clock'],
    ['Not authorized to set roleSessionName', 'accept role session name'],
    ['Failed to map session tags: x509Subject', 'attribute mapping'],
    ['Unable to assume role for arn:aws:iam::111122223333:role/reader', 'sts:SetSourceIdentity'],
    ['Trust anchor not found', 'region'],
    ['Profile is disabled', 'enable it'],
  ])('says what to do on "%s"', (message, cure) => {
    const error = refusal(403, { 'x-amzn-errortype': 'AccessDeniedException', 'x-amzn-requestid': 'a-1' }, { message })
    expect(error.message).toContain(`AccessDeniedException (request a-1): ${message}; `)
    expect(error.message).toContain(cure)
    expect(error).toMatchObject({ awsMessage: message, requestId: 'a-1', status: 403 })
  })

  it('F: keeps control characters, line ends and length of what is quoted away', () => {
    const message = `one\r\ntwo\u001b[31m\u2028three\u0000\u202e${'x'.repeat(2000)}`
    const error = refusal(400, { 'x-amzn-errortype': 'ValidationException' }, { Message: message })
    expect(error.awsMessage).toMatch(/^one two \[31m three x+…$/)
    expect(error.awsMessage!.length).toBeLessThan(402)
  })

  it.each([
    ['a page', '<html>secret</html>'],
    ['a code that is none', { code: 'a b', message: 'secret' }],
    ['no object', '"secret"'],
  ])('quotes nothing of what is not an answer of the service: %s', (_, body) => {
    const error = refusal(403, { 'x-amzn-requestid': 'a\tb' }, body)
    expect(error).toMatchObject({ code: 'ERR_RA_RESPONSE', requestId: undefined })
    expect(error.message).not.toContain('secret')
  })
})
