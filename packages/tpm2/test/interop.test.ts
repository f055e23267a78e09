import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createPrimary,
  evictControl,
  flushContext,
  hmac,
  hmacKeyTemplate,
  load,
  pcrRead,
  policyAuthValue,
  policyOr,
  policyPcr,
  readPublic,
  sign,
  wrapHmacKey,
} from '../src/commands.ts'
import { decodePublic, encodePublic, type TemplateName } from '../src/index.ts'
import { startHmacSession, startPolicySession, trialPolicy } from '../src/sessions.ts'
import { type Bench, hex, loadHmacKey, SECRET, startBench } from './helpers.ts'

let bench: Bench
let folder: string
beforeAll(async () => {
  bench = await startBench()
  folder = await mkdtemp(join(tmpdir(), 'hardbound-tpm2-tools-'))
  await writeFile(join(folder, 'message'), message)
  await writeFile(join(folder, 'secret'), SECRET)
})
afterAll(async () => {
  await bench.stop()
  await rm(folder, { recursive: true })
})

const message = Buffer.from('20260822')
const TAG = createHmac('sha256', SECRET).update(message).digest('hex')
const H2 = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'

/** Runs one of tpm2-tools 5.4, then frees the slots, as there is no resource manager. */
async function tool(line: string): Promise<string> {
  const [name, ...args] = line.split(' ')
  const env = { ...process.env, TPM2TOOLS_TCTI: bench.proxy.tpm2ToolsTcti }
  const run = (program: string, list: string[]): Promise<{ stdout: string }> =>
    promisify(execFile)(program, list, { cwd: folder, env })
  const { stdout } = await run(`tpm2_${name}`, args)
  if (!line.includes('-S ')) await run('tpm2_flushcontext', ['-t'])
  return stdout
}
const file = async (name: string): Promise<Uint8Array> => new Uint8Array(await readFile(join(folder, name)))

describe('tpm2-tools', () => {
  it.each<[TemplateName, string]>([
    ['h2-ecc', `createprimary -C o -G ecc -a ${H2} -c p.ctx`],
    ['h1-rsa', `createprimary -C o -G rsa2048:aes128cfb -a ${H2} -c p.ctx`],
    ['ek-rsa', 'createek -G rsa -c p.ctx -u p.pub'],
    ['ek-ecc', 'createek -G ecc -c p.ctx -u p.pub'],
  ])('makes the same %s primary key', async (template, line) => {
    await tool(line)
    await tool('readpublic -c p.ctx -o p.pub -f tss -n p.name')
    const hierarchy = template.startsWith('ek') ? 'endorsement' : 'owner'
    const ours = await bench.tpm.exclusively((tpm) => createPrimary(tpm, { hierarchy, template }))
    expect(hex(ours.name)).toBe(hex(await file('p.name')))
    expect(hex(encodePublic(ours.public))).toBe(hex(await file('p.pub')))
    expect(decodePublic(await file('p.pub'))).toEqual(ours.public)
  })

  it('imports a key that we use', async () => {
    await tool(`createprimary -C o -G ecc -a ${H2} -c p.ctx`)
    await tool('import -G hmac -C p.ctx -i secret -u k.pub -r k.priv -p pass -a sign|userwithauth|noda')
    await bench.tpm.exclusively(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      const key = await load(tpm, { parent, public: await file('k.pub'), private: await file('k.priv') })
      const session = await startHmacSession(tpm, { salt: parent })
      const auth = { session, authValue: Buffer.from('pass') }
      expect(hex(await hmac(tpm, { key, message, auth }))).toBe(TAG)
    })
  })

  it('uses, and reads, a key that we made', async () => {
    const persistentHandle = 0x81000200
    const made = await bench.tpm.exclusively(async (tpm) => {
      const { key } = await loadHmacKey(tpm, { userAuth: Buffer.from('pass') })
      await evictControl(tpm, { object: key, persistentHandle })
      return key
    })
    expect(await tool('hmac -c 0x81000200 -p pass --hex message')).toBe(TAG)
    const text = await tool('readpublic -c 0x81000200 -o k.pub -f tss -n k.name -q k.qname')
    expect(text).toContain(`name: ${hex(made.name)}`)
    expect(text).toContain('value: fixedtpm|fixedparent|userwithauth|sign\n')
    expect(hex(encodePublic(made.public))).toBe(hex(await file('k.pub')))
    const read = await readPublic(bench.tpm, { handle: persistentHandle })
    expect([read.name, read.qualifiedName].map(hex)).toEqual([await file('k.name'), await file('k.qname')].map(hex))
    await tool('evictcontrol -C o -c 0x81000200')
  })

  it.each(['h2-ecc', 'srk-rsa'] as const)('imports, loads and uses a key that we wrapped for %s', async (template) => {
    const template2 = hmacKeyTemplate({ attributes: ['sign', 'userWithAuth'] })
    const parent = await bench.tpm.exclusively(async (tpm) => {
      const made = await createPrimary(tpm, { hierarchy: 'owner', template })
      await evictControl(tpm, { object: made, persistentHandle: 0x81000300 })
      return made.public
    })
    for (const innerWrapper of [false, true]) {
      const wrapped = wrapHmacKey({ parent, template: template2, key: SECRET, innerWrapper })
      await writeFile(join(folder, 'w.pub'), encodePublic(wrapped.public))
      await writeFile(join(folder, 'w.dup'), wrapped.duplicate)
      await writeFile(join(folder, 'w.seed'), wrapped.seed)
      await writeFile(join(folder, 'w.key'), wrapped.encryptionKey ?? '')
      const inner = innerWrapper ? ' -k w.key' : ''
      await tool(`import -C 0x81000300 -u w.pub -i w.dup -s w.seed -r w.priv${inner}`)
      await tool('load -C 0x81000300 -u w.pub -r w.priv -c w.ctx')
      expect(await tool('hmac -c w.ctx --hex message')).toBe(TAG)
    }
    await tool('evictcontrol -C o -c 0x81000300')
  })

  it('duplicates a key to an endorsement key, and we compute the same policies', async () => {
    const ek = await bench.tpm.exclusively((tpm) =>
      createPrimary(tpm, { hierarchy: 'endorsement', template: 'ek-rsa' }),
    )
    await writeFile(join(folder, 'ek.name'), ek.name)
    await tool('startauthsession -S s.ctx')
    await tool('policyduplicationselect -S s.ctx -N ek.name -L select.dat')
    await tool('flushcontext s.ctx')
    expect(hex(trialPolicy().duplicationSelect(ek.name).digest)).toBe(hex(await file('select.dat')))

    await tool('startauthsession -S s.ctx')
    await tool('policypcr -S s.ctx -l sha256:0,7,23+sha1:1 -L pcr.dat')
    await tool('policyauthvalue -S s.ctx -L both.dat')
    await tool('flushcontext s.ctx')
    const selections = [
      { hash: 'sha256', pcrs: [0, 7, 23] },
      { hash: 'sha1', pcrs: [1] },
    ] as const
    const values = (await pcrRead(bench.tpm, selections)).map(({ value }) => value)
    const pcr = trialPolicy().pcr(selections, values)
    expect(hex(pcr.digest)).toBe(hex(await file('pcr.dat')))
    expect(hex(pcr.authValue().digest)).toBe(hex(await file('both.dat')))

    const branches = [pcr.authValue().digest, await file('select.dat')]
    await tool('startauthsession -S s.ctx')
    await tool('policyor -S s.ctx -L or.dat sha256:both.dat,select.dat')
    await tool('flushcontext s.ctx')
    expect(hex(trialPolicy().or(branches).digest)).toBe(hex(await file('or.dat')))

    await tool('startauthsession -S s.ctx')
    await tool('policysecret -S s.ctx -c e -L ek.dat')
    await tool('flushcontext s.ctx')
    expect(hex(trialPolicy().secret('endorsement').digest)).toBe(hex(await file('ek.dat')))

    // tpm2_create takes no key from outside, so the tool imports one with that policy, and we use it by it.
    await tool(`createprimary -C o -G ecc -a ${H2} -c p.ctx`)
    await tool('import -G hmac -C p.ctx -i secret -u k.pub -r k.priv -p pass -a sign|noda -L or.dat')
    await bench.tpm.exclusively(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      const key = await load(tpm, { parent, public: await file('k.pub'), private: await file('k.priv') })
      const session = await startPolicySession(tpm, { salt: parent })
      await flushContext(tpm, parent)
      await policyPcr(tpm, { session, selections })
      await policyAuthValue(tpm, session)
      await policyOr(tpm, { session, branches })
      const auth = { session, authValue: Buffer.from('pass') }
      expect(hex(await hmac(tpm, { key, message, auth }))).toBe(TAG)
    })
  })

  it('verifies what we sign with its key', async () => {
    await tool(`createprimary -C o -G ecc -a ${H2} -c p.ctx`)
    await tool('create -C p.ctx -G hmac -u k.pub -r k.priv')
    const digest = new Uint8Array(32).fill(5)
    await writeFile(join(folder, 'digest'), digest)
    const tag = await bench.tpm.exclusively(async (tpm) => {
      const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
      const key = await load(tpm, { parent, public: await file('k.pub'), private: await file('k.priv') })
      return sign(tpm, { key, digest, scheme: 'hmac' })
    })
    await tool('load -C p.ctx -u k.pub -r k.priv -c k.ctx')
    expect(await tool('hmac -c k.ctx -g sha256 --hex digest')).toBe(hex(tag))
  })
})
