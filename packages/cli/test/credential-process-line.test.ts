import { describe, expect, it } from '@jest/globals'
import { credentialProcessLine } from '../src/internal/credential-process-line.ts'

describe('credentialProcessLine', () => {
  it('quotes what has spaces', () => {
    expect(credentialProcessLine('tpm', { key: '/a b/c.pem', 'no-da': true, pcrs: undefined, tag: ['x', "y'z"] })).toBe(
      `credential_process = hardbound aws tpm --key "/a b/c.pem" --no-da --tag x --tag "y'z"`,
    )
  })
  // The AWS SDK for JavaScript has a shell run the line.
  it.each(['/$(touch pwned)/k.pem', '`id`', '$HOME', 'a"b', 'a\\b', 'a\n[profile x]', 'a\u202eb'])(
    'leaves %j to the user: a shell or a configuration file would read more into it',
    (value) => {
      expect(credentialProcessLine('tpm', { key: value })).toBe('credential_process = hardbound aws tpm --key …')
    },
  )
})
