import type Forge from 'node-forge'
import { RolesAnywhereError } from '../errors.ts'
import type { Named } from './make-identity.ts'

/** What a PKCS #12 file has. */
export interface Pkcs12Contents {
  /** PrivateKeyInfo in DER, to be wiped. */
  readonly keys: readonly Pkcs12Entry[]
  /** Certificates in DER, in the order of the file. */
  readonly certificates: readonly Pkcs12Entry[]
}

/** Milliseconds. A file says itself how often its password is hashed, up to years; forge does about 50,000 times in a second. */
const MAX_TIME_MS = 15_000

/** A key or certificate with what its file says it belongs to. */
export interface Pkcs12Entry {
  readonly der: Buffer
  /** In hexadecimal; absent where it has none. */
  readonly localKeyId: string | undefined
}

/**
 * Opens a PKCS #12 file (RFC 7292) in password integrity mode: PBES2 with AES, or the older 3DES and RC2, whose RC2 OpenSSL 3 has lost.
 * By node-forge, which is loaded here alone. It takes neither PBMAC1 (RFC 9579) nor passwords that aren't ASCII. Nothing else runs
 * meanwhile.
 *
 * @param password May be empty.
 * @param maxTimeMs It gives up then.
 * @throws {RolesAnywhereError} `ERR_RA_PASSWORD`, `ERR_RA_KEY`
 */
export async function readPkcs12(
  { from, value }: Named<Uint8Array>,
  password: Uint8Array,
  maxTimeMs: number = MAX_TIME_MS,
): Promise<Pkcs12Contents> {
  const [{ default: forge }, { runInNewContext }] = await Promise.all([import('node-forge'), import('node:vm')])
  // No sandbox: a deadline for what does not await.
  const inTime = (work: () => Forge.pkcs12.Bag[]) =>
    runInNewContext('work()', { work }, { timeout: maxTimeMs }) as Forge.pkcs12.Bag[]
  const bags = readBags(forge, { from, value }, password, inTime)
  const isKey = ({ type }: Forge.pkcs12.Bag): boolean =>
    type === forge.pki.oids.keyBag || type === forge.pki.oids.pkcs8ShroudedKeyBag
  const isCertificate = ({ type }: Forge.pkcs12.Bag): boolean => type === forge.pki.oids.certBag
  const entry = (bag: Forge.pkcs12.Bag, info: Forge.asn1.Asn1): Pkcs12Entry => ({
    der: Buffer.from(forge.asn1.toDer(info).getBytes(), 'binary'),
    localKeyId: localKeyIdOf(bag),
  })
  return {
    keys: bags.filter(isKey).map((bag) => entry(bag, keyOf(forge, bag))),
    certificates: bags.filter(isCertificate).map((bag) => entry(bag, certificateOf(forge, bag))),
  }
}

function readBags(
  forge: typeof Forge,
  { from, value }: Named<Uint8Array>,
  password: Uint8Array,
  inTime: (work: () => Forge.pkcs12.Bag[]) => Forge.pkcs12.Bag[],
): Forge.pkcs12.Bag[] {
  const text = Buffer.from(password).toString('latin1')
  if (!/^[\x20-\x7e]*$/.test(text)) {
    throw new RolesAnywhereError(
      'ERR_RA_PASSWORD',
      `the password of ${from} has other characters than ASCII: export it with another`,
    )
  }
  // An empty password is written in two ways: as an empty string with its end, or as none at all (RFC 7292, appendix B.1).
  const ways = text === '' ? ['', null] : [text]
  for (const way of ways) {
    try {
      const open = (): Forge.pkcs12.Bag[] => {
        const asn1 = forge.asn1.fromDer(forge.util.createBuffer(Buffer.from(value).toString('binary')))
        return forge.pkcs12.pkcs12FromAsn1(asn1, way as string).safeContents.flatMap(({ safeBags }) => safeBags)
      }
      return inTime(open)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
        const why = `${from} takes too long to open: export it with fewer iterations (-iter)`
        throw new RolesAnywhereError('ERR_RA_KEY', why)
      }
      if (error instanceof Error && /Invalid password/.test(error.message)) continue
      throw new RolesAnywhereError(
        'ERR_RA_KEY',
        `${from} is no PKCS #12 file with a password for its integrity and algorithms that are known here: export it by openssl pkcs12 -export`,
      )
    }
  }
  const why = text === '' ? 'has a password, and none was given' : 'has another password than was given'
  throw new RolesAnywhereError('ERR_RA_PASSWORD', `${from} ${why}`)
}

/** forge reads RSA keys, and leaves the PrivateKeyInfo of others as it is. */
function keyOf(forge: typeof Forge, { key, asn1 }: Forge.pkcs12.Bag): Forge.asn1.Asn1 {
  return key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1
}

/**
 * forge reads certificates with RSA keys, and leaves others as they are. It writes what it has read octet for octet, but for an outer
 * signatureAlgorithm of RSA-PSS with default values: that has to be as the inner one is (RFC 5280, section 4.1.1.2), which forge keeps.
 */
function certificateOf(forge: typeof Forge, { cert, asn1 }: Forge.pkcs12.Bag): Forge.asn1.Asn1 {
  if (!cert) return asn1
  const written = forge.pki.certificateToAsn1(cert)
  const [tbs, , signature] = written.value as [Forge.asn1.Asn1, Forge.asn1.Asn1, Forge.asn1.Asn1]
  const fields = tbs.value as Forge.asn1.Asn1[]
  const hasVersion = fields[0]?.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC
  const algorithm = fields[hasVersion ? 2 : 1] as Forge.asn1.Asn1
  return { ...written, value: [tbs, algorithm, signature] }
}

function localKeyIdOf({ attributes }: Forge.pkcs12.Bag): string | undefined {
  const [id] = ((attributes as Record<string, unknown>).localKeyId ?? []) as unknown[]
  return typeof id === 'string' ? Buffer.from(id, 'binary').toString('hex') : undefined
}
