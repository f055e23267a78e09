import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPemKey } from '@hardbound/roles-anywhere'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { type Benchmark, interleaved, type Row, rounded } from './row.ts'

const ROUNDS = 31
/** As long as a string to sign is. */
const MESSAGE = Buffer.from('s'.repeat(144))

interface SoftwareKey {
  readonly pem: string
  /** The signature alone. */
  readonly bare: () => Uint8Array
}

/** A signature by a key in a PEM file that has been read, against the same by the library that makes it. */
function benchmark(kind: string, peer: string, batch: number, goal: number, make: () => SoftwareKey): Benchmark {
  const name = `ra-sign-${kind}`
  return {
    name,
    async run(): Promise<Row> {
      const folder = await mkdtemp(join(tmpdir(), 'hardbound-bench-'))
      try {
        const { pem, bare } = make()
        const file = join(folder, 'client.key')
        await writeFile(file, pem, { mode: 0o600 })
        const key = await openPemKey({ file })
        const ours = () => perSecond(batch, () => key.sign(MESSAGE, 'sha256'))
        const floor = () => perSecond(batch, bare)
        await ours()
        await floor()
        const { value, against, ratio: paired } = await interleaved(ROUNDS, ours, floor)
        await key.close()
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
      } finally {
        await rm(folder, { recursive: true })
      }
    },
  }
}

function rsa(modulusLength: number): SoftwareKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength })
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { pem, bare: () => sign('sha256', MESSAGE, privateKey) }
}

function ec(namedCurve: string): SoftwareKey {
  const pem = generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const key = createPrivateKey(pem)
  return { pem, bare: () => sign('sha256', MESSAGE, key) }
}

/** Seed alone, as OpenSSL reads it (RFC 9881, appendix C.1.1). Node 20 has no ML-DSA to make one. */
function mlDsa(set: 44 | 65 | 87): SoftwareKey {
  const [library, arc] = { 44: [ml_dsa44, 17], 65: [ml_dsa65, 18], 87: [ml_dsa87, 19] }[set] as [
    typeof ml_dsa65,
    number,
  ]
  const seed = randomBytes(32)
  const head = Buffer.from(`3034020100300b06096086480165030403${arc.toString(16)}04228020`, 'hex')
  const pem = `-----BEGIN PRIVATE KEY-----\n${Buffer.concat([head, seed]).toString('base64')}\n-----END PRIVATE KEY-----\n`
  const { secretKey } = library.keygen(seed)
  return { pem, bare: () => library.sign(MESSAGE, secretKey, { extraEntropy: false }) }
}

export const raSign: readonly Benchmark[] = [
  benchmark('rsa2048', 'bare node:crypto sign', 40, 0.9, () => rsa(2048)),
  benchmark('rsa4096', 'bare node:crypto sign', 8, 0.9, () => rsa(4096)),
  benchmark('ec256', 'bare node:crypto sign', 1_000, 0.8, () => ec('P-256')),
  benchmark('ec384', 'bare node:crypto sign', 100, 0.9, () => ec('P-384')),
  benchmark('mldsa44', 'bare @noble/post-quantum', 5, 0.8, () => mlDsa(44)),
  benchmark('mldsa65', 'bare @noble/post-quantum', 4, 0.8, () => mlDsa(65)),
  benchmark('mldsa87', 'bare @noble/post-quantum', 3, 0.8, () => mlDsa(87)),
]

async function perSecond(batch: number, work: () => unknown): Promise<number> {
  const start = process.hrtime.bigint()
  for (let i = 0; i < batch; i++) await work()
  return batch / (Number(process.hrtime.bigint() - start) / 1e9)
}
