import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { startRolesAnywhere, type TestRolesAnywhere } from '../src/roles-anywhere.ts'
import { askUrl } from './helpers.ts'
import { AUTHORITY, createWorkshop } from './roles-anywhere-helpers.ts'
import vector from './vectors/roles-anywhere-signature.json' with { type: 'json' }

const arns = Object.fromEntries(new URLSearchParams(vector.query)) as Record<string, string>
const workshop = createWorkshop()
let ra: TestRolesAnywhere
beforeAll(async () => {
  ra = await startRolesAnywhere({ clock: () => Date.parse('2026-11-01T12:00:00Z') })
  const { certPem } = workshop.certify({ subject: '/CN=Root', extensions: AUTHORITY })
  ra.addTrustAnchor({ arn: arns.trustAnchorArn!, caPem: certPem })
  ra.addProfile({ arn: arns.profileArn!, roleArns: [arns.roleArn!] })
})
afterAll(async () => {
  await ra.close()
  workshop.remove()
})

async function send(authorization: string): Promise<{ message: unknown; detail: unknown }> {
  const headers = {
    'content-type': 'application/json',
    host: vector.host,
    'x-amz-date': vector.date,
    'x-amz-x509': vector.certPem.replace(/-----[A-Z ]+-----|\s/g, ''),
    authorization,
  }
  const { text } = await askUrl(`${ra.endpoint}/sessions?${vector.query}`, { method: 'POST', headers }, vector.body)
  return { message: (JSON.parse(text) as { message: unknown }).message, detail: ra.refusals.at(-1)?.detail }
}

it('takes the signature of the worked example; its certificate is not valid on that day', async () => {
  expect(await send(vector.authorization)).toEqual({
    message: 'Untrusted signing certificate',
    detail: 'the certificate is not valid yet',
  })
})

it('does not take it with another last octet', async () => {
  const { message } = await send(vector.authorization.replace(/35$/, '36'))
  expect(message).toBe('Invalid signature')
})
