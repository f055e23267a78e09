import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from '@jest/globals'

it('shows a grant, SDK calls, expiry and renewal, and every refusal, and ends by itself', async () => {
  const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [main])
  expect(stderr).toBe('')
  for (const shown of [
    'sts:GetCallerIdentity says arn:aws:sts::111122223333:assumed-role/reader/hb-4242',
    's3:ListObjectsV2 lists 2026/november.csv, 2026/october.csv',
    'its keys by themselves are now refused: ExpiredToken',
    'the same S3Client went on working',
    'Azurite lists 2026/november.csv, 2026/october.csv',
    'The broker had the token from Entra for https://storage.azure.com/.default, by a certificate (PS256)',
    'a token for Microsoft Graph, which no rule names: the broker answered 403 policy_denied',
    'deny  request.scope',
    'the same, for Azure: the broker answered 403 policy_denied',
    'an image that no rule names: the broker answered 403 policy_denied',
    'the right image on a debug machine: the broker answered 403 policy_denied',
    'a token relayed byte for byte: the broker answered 401 binding_mismatch',
    'deny  claim.dbgstat',
    'deny  binding.nonce0',
    'the chain is intact',
  ]) {
    expect(stdout).toContain(shown)
  }
})
