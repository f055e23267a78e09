import type Forge from 'node-forge'
import { Pkcs12Error } from '../errors.ts'
import type { Pkcs12Contents, Pkcs12Entry } from '../types.ts'

type Bag = Forge.pkcs12.Bag
type Asn1 = Forge.asn1.Asn1

/**
 * @param octets One character each.
 * @throws {Pkcs12Error} `ERR_PKCS12_PASSWORD`; whatever node-forge throws where it can't read the file.
 */
export function readContents(forge: typeof Forge, octets: string, password: string): Pkcs12Contents {
  const bags = openBags(forge, octets, password)
  const { keyBag, pkcs8ShroudedKeyBag, certBag } = forge.pki.oids
  const keys: Pkcs12Entry[] = []
  const certificates: Pkcs12Entry[] = []
  const entry = (bag: Bag, info: Asn1): Pkcs12Entry => ({
    der: Buffer.from(forge.asn1.toDer(info).getBytes(), 'latin1'),
    localKeyId: localKeyIdOf(bag),
  })
  for (const bag of bags) {
    if (bag.type === certBag) certificates.push(entry(bag, certificateOf(forge, bag)))
    if (bag.type === keyBag || bag.type === pkcs8ShroudedKeyBag) keys.push(entry(bag, keyOf(forge, bag)))
  }
  return { keys, certificates }
}

function openBags(forge: typeof Forge, octets: string, password: string): Bag[] {
  // An empty password is written in two ways: as an empty string with its end, or as none at all (RFC 7292, appendix B.1).
  const ways = password === '' ? ['', null] : [password]
  for (const way of ways) {
    try {
      const asn1 = forge.asn1.fromDer(forge.util.createBuffer(octets))
      // "true" is for strict: without it, null would be taken for that.
      return forge.pkcs12.pkcs12FromAsn1(asn1, true, way as string).safeContents.flatMap(({ safeBags }) => safeBags)
    } catch (error) {
      if (!(error instanceof Error && error.message.includes('Invalid password'))) throw error
    }
  }
  const why = password === '' ? 'has a password, and none was given' : 'has another password than was given'
  throw new Pkcs12Error('ERR_PKCS12_PASSWORD', `the PKCS #12 file ${why}`)
}

/** node-forge reads RSA keys, and leaves the PrivateKeyInfo of others as it is. */
function keyOf(forge: typeof Forge, { key, asn1 }: Bag): Asn1 {
  return key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1
}

/**
 * node-forge reads certificates with RSA keys, and leaves others as they are. It writes what it has read octet for octet, but for an
 * outer signatureAlgorithm of RSA-PSS with default values: that has to be as the inner one is (RFC 5280, section 4.1.1.2), which it
 * keeps.
 */
function certificateOf(forge: typeof Forge, { cert, asn1 }: Bag): Asn1 {
  if (!cert) return asn1
  const written = forge.pki.certificateToAsn1(cert)
  const [tbs, , signature] = written.value as [Asn1, Asn1, Asn1]
  const fields = tbs.value as Asn1[]
  const hasVersion = fields[0]?.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC
  const algorithm = fields[hasVersion ? 2 : 1] as Asn1
  return { ...written, value: [tbs, algorithm, signature] }
}

function localKeyIdOf({ attributes }: Bag): string | undefined {
  const [id] = ((attributes as Record<string, unknown>).localKeyId ?? []) as unknown[]
  return typeof id === 'string' ? Buffer.from(id, 'latin1').toString('hex') : undefined
}
