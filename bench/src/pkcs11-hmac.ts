import { createRequire } from 'node:module'
import { openPkcs11Hmac } from '@hardbound/hmac-signer-pkcs11'
import { createSoftHsm } from '@hardbound/testkit/hardware'
import { type Benchmark, interleaved, rounded } from './row.ts'

const BATCH = 2_000
const ROUNDS = 31
const DAY = Buffer.from('20260822')
const KEY = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
const CKM_SHA256_HMAC = 0x251

/** An HMAC by a key in SoftHSM, against C_SignInit and C_Sign of the same module, called bare. */
export const pkcs11Hmac: Benchmark = {
  name: 'pkcs11-hmac',
  async run() {
    const hsm = await createSoftHsm({ keys: [{ label: 'bench', value: KEY }] })
    process.env.SOFTHSM2_CONF = hsm.env.SOFTHSM2_CONF
    const backend = await openPkcs11Hmac({ uri: hsm.uri('bench') })
    const module = openBare(hsm.modulePath)
    try {
      const ours = () => perSecond(() => backend.hmacSha256(DAY))
      const bare = () => perSecond(() => Promise.resolve(module.sign(DAY)))
      await ours()
      await bare()
      const { value, against, ratio: paired } = await interleaved(ROUNDS, ours, bare)
      const ratio = rounded(paired)
      return {
        name: 'pkcs11-hmac',
        value: Math.round(value),
        unit: 'HMACs/s',
        against: Math.round(against),
        peer: 'bare pkcs11js C_SignInit and C_Sign',
        ratio,
        goal: '>= 0.8x',
        pass: ratio >= 0.8,
      }
    } finally {
      module.close()
      await backend.close()
      await hsm.remove()
    }
  },
}

interface Bare {
  load(path: string): void
  C_GetSlotList(present: boolean): Buffer[]
  C_OpenSession(slot: Buffer, flags: number): Buffer
  C_FindObjectsInit(session: Buffer, template: object[]): void
  C_FindObjects(session: Buffer): Buffer
  C_FindObjectsFinal(session: Buffer): void
  C_SignInit(session: Buffer, mechanism: object, key: Buffer): void
  C_Sign(session: Buffer, data: Buffer, out: Buffer): Buffer
  C_CloseSession(session: Buffer): void
}

/** The module is initialised and logged in already: both are the process's, not the caller's. */
function openBare(path: string) {
  const { PKCS11 } = createRequire(import.meta.url)('pkcs11js') as { PKCS11: new () => Bare }
  const module = new PKCS11()
  module.load(path)
  const [slot] = module.C_GetSlotList(true)
  const session = module.C_OpenSession(slot!, 4)
  module.C_FindObjectsInit(session, [{ type: 3, value: 'bench' }])
  const key = module.C_FindObjects(session)
  module.C_FindObjectsFinal(session)
  return {
    sign(message: Buffer): Buffer {
      module.C_SignInit(session, { mechanism: CKM_SHA256_HMAC }, key)
      return module.C_Sign(session, message, Buffer.alloc(32))
    },
    close: () => module.C_CloseSession(session),
  }
}

async function perSecond(work: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint()
  for (let i = 0; i < BATCH; i++) await work()
  return BATCH / (Number(process.hrtime.bigint() - start) / 1e9)
}
