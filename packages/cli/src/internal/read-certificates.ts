import { certificateData, listIdentities, readCertificateData } from '@hardbound/roles-anywhere/certificate-data'
import { type CertificateDetails, goNameText, matchingCertificates } from '@hardbound/roles-anywhere/store'
import { usageError } from '../cli-error.ts'
import { note, print, printJson } from '../output.ts'
import { given } from './flags.ts'
import { assertGoTogether, type IdentityFlags } from './identity-flags.ts'
import { identityKindOf } from './open-identity.ts'
import { selectorOf, storeOpenerOf } from './open-store.ts'
import { rolesAnywhereFailure } from './roles-anywhere-flags.ts'

/** What was given to `hardbound cert read`. */
export interface CertReadOptions {
  readonly selector?: string
  readonly p12Password?: string
  readonly pin?: string
  readonly keypad?: boolean
  readonly retryPin?: boolean
  readonly allowModule?: string[]
  readonly json?: boolean
}

interface Found {
  readonly details: CertificateDetails
  readonly location: string
  readonly uri?: string | undefined
}

/**
 * Shows the certificate of a file, or those of a store that a selector matches.
 *
 * @throws {CliError}
 */
export async function readCertificates(place: string, options: CertReadOptions): Promise<void> {
  const isStore = /^(?:pkcs11:|folder:|p12:|system(?::|$))/.test(place)
  try {
    if (!isStore && options.json === true) {
      assertFile(options)
      process.stdout.write(JSON.stringify(await readCertificateData(place))) // no line feed, as the original has it
      return
    }
    const found = isStore ? await inStore(place, options) : await inFile(place, options)
    if (options.json === true) return printJson(found.map(asJson))
    print(listIdentities(found).trimEnd())
  } catch (cause) {
    return rolesAnywhereFailure(cause)
  }
}

async function inFile(path: string, options: CertReadOptions): Promise<Found[]> {
  assertFile(options)
  const certificate = Buffer.from((await readCertificateData(path)).certificateData, 'base64')
  return matchingCertificates([{ certificate, location: path }], {}).map(toFound)
}

async function inStore(store: string, options: CertReadOptions): Promise<Found[]> {
  const flags: IdentityFlags = {
    store,
    selector: options.selector,
    'p12-password': options.p12Password,
    pin: options.pin,
    keypad: options.keypad,
    'retry-pin': options.retryPin,
    'allow-module': options.allowModule,
  }
  const kind = identityKindOf(flags)
  assertGoTogether(kind, flags)
  const selector = await selectorOf(flags)
  const open = await storeOpenerOf(kind, flags, ({ message }) => note(`warning: ${message}`))
  const opened = await open()
  try {
    return matchingCertificates(await opened.list(), selector).map(toFound)
  } finally {
    await opened.close()
  }
}

function assertFile({ json: _, ...others }: CertReadOptions): void {
  if (Object.keys(others).length > 0) throw usageError('a file goes with no option but --json')
}

const toFound = ({
  entry,
  details,
}: {
  entry: { location: string; uri?: string | undefined }
  details: CertificateDetails
}): Found => ({
  details,
  location: entry.location,
  uri: entry.uri,
})

const asJson = ({ details, location, uri }: Found) => ({
  ...certificateData(details.der),
  subject: goNameText(details.subject),
  issuer: goNameText(details.issuer),
  notBefore: new Date(details.notBefore).toISOString(),
  notAfter: new Date(details.notAfter).toISOString(),
  sha1: details.sha1,
  sha256: details.sha256,
  ...given('uri', uri),
  ...given('location', uri === undefined ? location : undefined),
})
