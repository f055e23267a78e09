import { execFile } from 'node:child_process'
import { createHash, verify } from 'node:crypto'
import { createRequire } from 'node:module'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type LoneKey, openPkcs11Key, openTpmKey } from '@hardbound/roles-anywhere'
import { createSoftHsm, startSwtpm } from '@hardbound/testkit/hardware'
import { openTpm, openTransport, type TpmTransport } from '@hardbound/tpm2'
import { type Benchmark, interleaved, type Row, rounded } from './row.ts'

const ROUNDS = 31
/** As long as a string to sign is. */
const MESSAGE = Buffer.from('s'.repeat(144))
const DIGEST = createHash('sha256').update(MESSAGE).digest()
const HANDLE = 0x81010002

type Measure = () => Promise<number>

async function compare(name: string, peer: string, goal: number, ours: Measure, bare: Measure): Promise<Row> {
  await ours()
  await bare()
  const { value, against, ratio: paired } = await interleaved(ROUNDS, ours, bare)
  const ratio = rounded(paired)
  return {
    name,
    value: rounded(value, 1),
    unit: 'signatures/s',
    against: rounded(against, 1),
    peer,
    ratio,
    goal: `>= ${goal}x`,
    pass: ratio >= goal,
  }
}

/** What each signature of a device costs besides: it is verified before it is used. */
async function verification(key: LoneKey): Promise<() => void> {
  const signature = await key.sign(MESSAGE, 'sha256')
  const { publicKey } = key
  return () => {
    if (publicKey === undefined || !verify('sha256', MESSAGE, publicKey, signature))
      throw new Error('not its signature')
  }
}

/** A signature in SoftHSM, against C_SignInit and C_Sign of the same module, called bare, and a verification. */
function pkcs11(
  kind: string,
  keyType: string,
  mechanism: number,
  message: Buffer,
  batch: number,
  goal: number,
): Benchmark {
  const name = `ra-sign-pkcs11-${kind}`
  return {
    name,
    async run(): Promise<Row> {
      const hsm = await createSoftHsm()
      process.env.SOFTHSM2_CONF = hsm.env.SOFTHSM2_CONF
      await hsm.tool('--keypairgen', '--key-type', keyType, '--id', '01', '--label', 'bench', '--usage-sign')
      const key = await openPkcs11Key({ privateKey: hsm.uri('bench') })
      const module = openBare(hsm.modulePath)
      try {
        const check = await verification(key)
        const ours = () => perSecond(batch, () => key.sign(MESSAGE, 'sha256'))
        const bare = () =>
          perSecond(batch, () => {
            module.sign(mechanism, message)
            check()
          })
        return await compare(name, 'bare pkcs11js C_SignInit and C_Sign, node:crypto verify', goal, ours, bare)
      } finally {
        module.close()
        await key.close()
        await hsm.remove()
      }
    },
  }
}

/** A signature in a TPM, against the very commands that it sends, sent again over a bare socket, and a verification. */
function tpm(kind: string, algorithm: string, batch: number, goal: number): Benchmark {
  const name = `ra-sign-tpm-${kind}`
  return {
    name,
    async run(): Promise<Row> {
      const swtpm = await startSwtpm()
      try {
        await makeKey(swtpm.tpm2ToolsTcti, swtpm.stateDir, algorithm)
        const { commands, check } = await recordOne(swtpm.address)
        // swtpm serves one connection at a time, so each side opens its own for each round.
        const ours = async () => {
          const key = await openTpmKey({ tpm: swtpm.address, key: { handle: HANDLE } })
          const rate = await perSecond(batch, () => key.sign(MESSAGE, 'sha256'))
          await key.close()
          return rate
        }
        const bare = async () => {
          const socket = connect(swtpm.address.replace('unix:', ''))
          const rate = await perSecond(batch, async () => {
            for (const command of commands) await roundTrip(socket, command)
            check()
          })
          socket.destroy()
          return rate
        }
        const peer = `the same command${commands.length === 1 ? '' : 's'} to swtpm, bare, node:crypto verify`
        return await compare(name, peer, goal, ours, bare)
      } finally {
        await swtpm.stop()
      }
    },
  }
}

export const raSignDevice: readonly Benchmark[] = [
  pkcs11('rsa2048', 'rsa:2048', 0x40, MESSAGE, 40, 0.8), // CKM_SHA256_RSA_PKCS
  pkcs11('ec256', 'EC:prime256v1', 0x1041, DIGEST, 300, 0.5), // CKM_ECDSA
  tpm('rsa2048', 'rsa2048', 20, 0.7),
  tpm('ec256', 'ecc256', 50, 0.5),
]

async function makeKey(tcti: string, folder: string, algorithm: string): Promise<void> {
  const context = join(folder, 'bench.ctx')
  const attributes = 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth'
  const run = (name: string, ...args: string[]) =>
    promisify(execFile)(`tpm2_${name}`, args, { env: { ...process.env, TPM2TOOLS_TCTI: tcti } })
  await run('createprimary', '-Q', '-C', 'o', '-G', algorithm, '-a', attributes, '-c', context)
  await run('evictcontrol', '-Q', '-C', 'o', '-c', context, `0x${HANDLE.toString(16)}`)
  await run('flushcontext', '-t')
}

/** The commands of one signature, when the key has been looked at already. */
async function recordOne(address: string): Promise<{ commands: Uint8Array[]; check: () => void }> {
  const commands: Uint8Array[] = []
  const recording = (transport: TpmTransport): TpmTransport => ({
    ...transport,
    transmit(command, options) {
      commands.push(command.slice())
      return transport.transmit(command, options)
    },
  })
  const device = await openTpm({ transport: recording(await openTransport(address)) })
  const key = await openTpmKey({ tpm: device, key: { handle: HANDLE } })
  const check = await verification(key)
  commands.length = 0
  await key.sign(MESSAGE, 'sha256')
  const sent = [...commands]
  await key.close()
  await device.close()
  return { commands: sent, check }
}

function roundTrip(socket: Socket, command: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('data', (response: Buffer) => {
      const rc = response.readUInt32BE(6)
      if (rc === 0 && response.readUInt32BE(2) === response.length) resolve()
      else reject(new Error(`TPM_RC ${rc.toString(16)}`))
    })
    socket.write(command)
  })
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

const CKA_CLASS = 0
const CKA_LABEL = 3
const CKO_PRIVATE_KEY = 3

/** The module is initialised and logged in already: both are the process's, not the caller's. */
function openBare(path: string) {
  const { PKCS11 } = createRequire(import.meta.url)('pkcs11js') as { PKCS11: new () => Bare }
  const module = new PKCS11()
  module.load(path)
  const [slot] = module.C_GetSlotList(true)
  const session = module.C_OpenSession(slot!, 4)
  const template = [
    { type: CKA_CLASS, value: CKO_PRIVATE_KEY },
    { type: CKA_LABEL, value: 'bench' },
  ]
  module.C_FindObjectsInit(session, template)
  const key = module.C_FindObjects(session)
  module.C_FindObjectsFinal(session)
  return {
    sign(mechanism: number, message: Buffer): Buffer {
      module.C_SignInit(session, { mechanism }, key)
      return module.C_Sign(session, message, Buffer.alloc(512))
    },
    close: () => module.C_CloseSession(session),
  }
}

async function perSecond(batch: number, work: () => unknown): Promise<number> {
  for (let i = 0; i < 3; i++) await work()
  const start = process.hrtime.bigint()
  for (let i = 0; i < batch; i++) await work()
  return batch / (Number(process.hrtime.bigint() - start) / 1e9)
}
