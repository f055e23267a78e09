import { createHash, createPublicKey, verify, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Certificates, makeCertificates, RSA } from './certificates.ts'
import { hardbound } from './helpers.ts'

let lab: Certificates
beforeAll(async () => {
  lab = await makeCertificates()
  await lab.leaf('rsa', RSA)
  await lab.leaf('ec')
  await lab.mlDsaLeaf('ml-dsa')
})
afterAll(() => lab?.remove())

const signTest = (name: string, ...more: string[]) => {
  const pair = ['--certificate', lab.at(`${name}.crt`), '--private-key', lab.at(`${name}.key`)]
  return hardbound(['cert', 'sign-test', ...pair, ...more])
}

describe('hardbound cert sign-test', () => {
  it.each(['sha256', 'SHA384', 'sha512'])(
    'signs the message that the original signs, with RSA and %s',
    async (digest) => {
      const { publicKey } = new X509Certificate(await readFile(lab.at('rsa.crt')))
      const octets = publicKey.export({ type: 'pkcs1', format: 'der' })
      const suffix = createHash('sha256').update('IAM RA').update(octets).digest()
      const message = Buffer.concat([Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1'), suffix])
      const { code, stdout, stderr } = await signTest('rsa', '--digest', digest, '--format', 'text')
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).toMatch(/^[0-9a-f]{512}$/)
      expect(
        verify(
          digest,
          message,
          createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
          Buffer.from(stdout, 'hex'),
        ),
      ).toBe(true)
      expect((await signTest('rsa', '--digest', digest)).stdout).toBe(`"${stdout}"`) // RSA signs alike each time
    },
  )

  it('signs with EC, for openssl to verify', async () => {
    const hex = (await signTest('ec', '--format', 'text')).stdout
    await writeFile(lab.at('signature'), Buffer.from(hex, 'hex'))
    const { publicKey } = new X509Certificate(await readFile(lab.at('ec.crt')))
    const point = publicKey.export({ type: 'spki', format: 'der' }).subarray(-65)
    const suffix = createHash('sha256').update('IAM RA').update(point).digest()
    await writeFile(
      lab.at('message'),
      Buffer.concat([Buffer.from('AWS Roles Anywhere Credential Helper Signing Test1'), suffix]),
    )
    await writeFile(lab.at('public.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
    const verified = await lab.openssl('dgst', '-sha256', '-verify', 'public.pem', '-signature', 'signature', 'message')
    expect(verified).toBe('Verified OK\n')
  })

  it('signs with ML-DSA, whose signature has one length', async () => {
    const { code, stdout } = await signTest('ml-dsa', '--format', 'text')
    expect({ code, octets: stdout.length / 2 }).toEqual({ code: 0, octets: 3309 })
  })

  it('takes all the identities, and shows how', async () => {
    const { stdout } = await hardbound(['cert', 'sign-test', '--help'])
    for (const flag of ['--p12', '--spiffe', '--store', '--tpm-key-auth', '--allow-module'])
      expect(stdout).toContain(flag)
    await lab.write('password', 'correct horse')
    const p12 = ['-in', 'ec.crt', '-inkey', 'ec.key', '-passout', `file:${lab.at('password')}`, '-out', 'ec.p12']
    await lab.openssl('pkcs12', '-export', ...p12)
    const flags = ['--p12', lab.at('ec.p12'), '--p12-password', `file:${lab.at('password')}`]
    expect(await hardbound(['cert', 'sign-test', ...flags])).toMatchObject({ code: 0, stderr: '' })
  })

  it.each([
    ['no identity', [], 2, 'one identity is required'],
    ['another format', ['--certificate', 'x', '--format', 'hex'], 2, '--format'],
    ['another digest', ['--certificate', 'x', '--digest', 'md5'], 2, '--digest'],
    ['an unknown flag', ['--certificate', 'x', '--role-arn', 'x'], 2, '--role-arn'],
    ['a file that is not there', ['--certificate', '/nonexistent.pem'], 1, 'ERR_RA_FILE'],
    ['a password as an argument', ['--p12', 'x.p12', '--p12-password', 'hunter2'], 2, 'never arguments'],
  ] as const)('refuses %s', async (_, args, code, why) => {
    const outcome = await hardbound(['cert', 'sign-test', ...args])
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(why) })
    expect(outcome.stderr).not.toContain('hunter2')
  })

  it('S11 says that a key is of another certificate', async () => {
    const outcome = await signTest('ec', '--private-key', lab.at('rsa.key'))
    expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('[ERR_RA_MISMATCH]') })
  })
})
