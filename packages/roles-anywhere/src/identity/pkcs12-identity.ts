import { X509Certificate } from 'node:crypto'
import type { Pkcs12Contents, Pkcs12Entry } from '@hardbound/pkcs12'
import { RolesAnywhereError } from '../errors.ts'
import type { Loaded } from './file-source.ts'
import { makeIdentity, type Named } from './make-identity.ts'
import type { PasswordKeeper } from './password.ts'
import { type PrivateKey, readPrivateKey } from './private-key.ts'
import { isSameKey, publicKeyOfCertificate } from './public-key.ts'
import { readPkcs12 } from './read-pkcs12.ts'

/** A private key, and the certificate that is to be used with it. */
interface Pair {
  readonly key: PrivateKey
  readonly leaf: Pkcs12Entry
}

/**
 * Reads the identity of a PKCS #12 file.
 *
 * @param wanted DER of the certificate to use; undefined where there is to be one alone that a key is there for.
 * @throws {RolesAnywhereError}
 */
export async function readPkcs12Identity(
  file: Named<Uint8Array>,
  password: PasswordKeeper,
  wanted: Uint8Array | undefined,
): Promise<Loaded> {
  const { keys, certificates } = await open(file, password)
  try {
    const meant = wanted === undefined ? certificates : certificates.filter(({ der }) => der.equals(wanted))
    const pairs = await pairsOf(keys, meant, file.from)
    const [pair, second] = pairs
    if (pair === undefined || second !== undefined) throw notOne(file.from, pairs.length, wanted !== undefined)
    const { key, leaf } = pair
    const identity = await makeIdentity({
      leaf: { from: file.from, value: leaf.der },
      others: { from: file.from, value: certificates.map(({ der }) => der) },
      key: { from: file.from, value: key },
    })
    return { identity, wipe: () => key.wipe() }
  } finally {
    for (const { der } of keys) der.fill(0)
  }
}

async function open(file: Named<Uint8Array>, password: PasswordKeeper): Promise<Pkcs12Contents> {
  if (!password.given) {
    try {
      return await readPkcs12(file, new Uint8Array())
    } catch (error) {
      if (!(error instanceof RolesAnywhereError) || error.code !== 'ERR_RA_PASSWORD') throw error
    }
  }
  return password.use(file.from, (it) => readPkcs12(file, it))
}

/** One pair for each key that has a certificate. */
async function pairsOf(
  keys: readonly Pkcs12Entry[],
  certificates: readonly Pkcs12Entry[],
  from: string,
): Promise<Pair[]> {
  if (keys.length === 0)
    throw new RolesAnywhereError('ERR_RA_KEY', `${from} has no private key: export it with its key`)
  const pairs: Pair[] = []
  for (const { der, localKeyId } of keys) {
    const key = await readKey(der, from)
    const fitting = certificates.filter((it) => isOfKey(it, key)).sort(byEnd)
    const leaf = fitting.find((it) => it.localKeyId !== undefined && it.localKeyId === localKeyId) ?? fitting[0]
    if (leaf !== undefined) pairs.push({ key, leaf })
  }
  return pairs
}

async function readKey(der: Buffer, from: string): Promise<PrivateKey> {
  try {
    return await readPrivateKey(der, 'pkcs8')
  } catch (error) {
    const why = error instanceof TypeError ? `is ${error.message}` : 'can not be read'
    throw new RolesAnywhereError('ERR_RA_KEY', `the private key in ${from} ${why}`)
  }
}

function isOfKey({ der }: Pkcs12Entry, { publicKey }: PrivateKey): boolean {
  try {
    return isSameKey(publicKeyOfCertificate(der), publicKey)
  } catch {
    return false // of an authority, with a key of its own kind
  }
}

/** The one that ends last comes first: renewed certificates may lie beside those that they replace. */
const byEnd = (a: Pkcs12Entry, b: Pkcs12Entry): number => endOf(b) - endOf(a)
const endOf = ({ der }: Pkcs12Entry): number => Date.parse(new X509Certificate(der).validTo)

function notOne(from: string, count: number, named: boolean): RolesAnywhereError {
  if (count > 1) {
    const why = `${from} has ${count} private keys with certificates: export the one that is meant alone, or name its certificate`
    return new RolesAnywhereError('ERR_RA_CERTIFICATE', why)
  }
  const why = named ? 'the certificate that was named, with its private key' : 'a certificate of its private key'
  return new RolesAnywhereError('ERR_RA_MISMATCH', `${from} does not have ${why}: export both into one file`)
}
