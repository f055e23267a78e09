import { connect, type Socket } from 'node:net'
import { importTpmHmacKey, type OpenTpmHmacInit, openTpmHmac } from '@hardbound/hmac-signer-tpm'
import { startSwtpm } from '@hardbound/testkit/hardware'
import { openTpm, openTransport, type TpmTransport } from '@hardbound/tpm2'
import { type Benchmark, interleaved, type Row, rounded } from './row.ts'

const ROUNDS = 31
const DAY = Buffer.from('20260822')

/** An HMAC in a TPM, against the very commands that it sends, sent again over a bare socket. */
function benchmark(name: string, what: string, batch: number, persistentHandle?: number): Benchmark {
  return {
    name,
    async run(): Promise<Row> {
      const swtpm = await startSwtpm()
      try {
        const secret = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
        const where = persistentHandle === undefined ? {} : { persistentHandle }
        const { pem = '', handle } = await importTpmHmacKey({ tpm: swtpm.address, secret, ...where })
        const key = handle === undefined ? { pem } : { handle }
        const commands = await recordOne(swtpm.address, key)
        // swtpm serves one connection at a time, so each side opens its own for each round.
        const ours = async () => {
          const backend = await openTpmHmac({ tpm: swtpm.address, key })
          const rate = await perSecond(batch, () => backend.hmacSha256(DAY))
          await backend.close()
          return rate
        }
        const bare = async () => {
          const socket = connect(swtpm.address.replace('unix:', ''))
          const rate = await perSecond(batch, async () => {
            for (const command of commands) await roundTrip(socket, command)
          })
          socket.destroy()
          return rate
        }
        await ours()
        await bare()
        const { value, against, ratio: paired } = await interleaved(ROUNDS, ours, bare)
        const ratio = rounded(paired)
        return {
          name,
          value: Math.round(value),
          unit: 'HMACs/s',
          against: Math.round(against),
          peer: `${what}: the same ${commands.length} round trips to swtpm, bare`,
          ratio,
          goal: '>= 0.8x',
          pass: ratio >= 0.8,
        }
      } finally {
        await swtpm.stop()
      }
    },
  }
}

export const tpmHmac: readonly Benchmark[] = [
  benchmark('tpm-hmac', 'key file', 50),
  benchmark('tpm-hmac-handle', 'persistent handle', 300, 0x81010001),
]

/** The commands of one HMAC, when the key has been looked at already. */
async function recordOne(address: string, key: OpenTpmHmacInit['key']): Promise<Uint8Array[]> {
  const commands: Uint8Array[] = []
  const recording = (transport: TpmTransport): TpmTransport => ({
    ...transport,
    transmit(command, options) {
      commands.push(command.slice())
      return transport.transmit(command, options)
    },
  })
  const tpm = await openTpm({ transport: recording(await openTransport(address)) })
  const backend = await openTpmHmac({ tpm, key })
  commands.length = 0
  await backend.hmacSha256(DAY)
  const sent = [...commands]
  await backend.close()
  await tpm.close()
  return sent
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

async function perSecond(batch: number, work: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 5; i++) await work()
  const start = process.hrtime.bigint()
  for (let i = 0; i < batch; i++) await work()
  return batch / (Number(process.hrtime.bigint() - start) / 1e9)
}
