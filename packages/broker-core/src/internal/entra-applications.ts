import type { AzureApplication, AzureCloud } from '../azure-application.ts'
import type { AzureClientCredential } from '../azure-credentials.ts'
import { readClientCertificate } from './entra-certificate.ts'
import type { EntraApplication } from './entra-exchange.ts'

/** @see {@link https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud} */
const AUTHORITY_HOSTS: ReadonlyMap<AzureCloud, string> = new Map([
  ['public', 'https://login.microsoftonline.com'],
  ['usgovernment', 'https://login.microsoftonline.us'],
  ['china', 'https://login.chinacloudapi.cn'],
])
/** No `common`, no domain name, and nothing that changes a URL's path. */
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Checks the applications.
 *
 * @returns what finds one; `undefined` where there is none.
 * @throws {TypeError} | {AzureCredentialError}
 */
export function createEntraApplications(applications: readonly AzureApplication[]) {
  if (applications.length === 0) throw new TypeError('"applications" must name at least one')
  const byId = new Map<string, EntraApplication>()
  for (const { tenantId, clientId, credential, ...where } of applications) {
    if (!GUID.test(tenantId)) throw new TypeError('"tenantId" must be a GUID in lower case')
    if (!GUID.test(clientId)) throw new TypeError('"clientId" must be a GUID in lower case')
    const key = `${tenantId} ${clientId}`
    if (byId.has(key)) throw new TypeError(`"applications" has ${clientId} of ${tenantId} twice`)
    assertCredential(credential)
    const authorityHost = authorityHostOf(where)
    const tokenUrl = `${authorityHost}/${tenantId}/oauth2/v2.0/token`
    byId.set(key, { tenantId, clientId, authorityHost, tokenUrl, credential })
  }
  return (tenantId: string, clientId: string): EntraApplication | undefined => byId.get(`${tenantId} ${clientId}`)
}

function authorityHostOf({ cloud, authorityHost }: Pick<AzureApplication, 'cloud' | 'authorityHost'>): string {
  if (authorityHost === undefined) {
    const known = AUTHORITY_HOSTS.get(cloud ?? 'public')
    if (known === undefined) throw new TypeError('"cloud" must be "public", "usgovernment" or "china"')
    return known
  }
  if (cloud !== undefined) throw new TypeError('"cloud" and "authorityHost" exclude each other')
  const url = URL.canParse(authorityHost) ? new URL(authorityHost) : undefined
  if (url?.protocol !== 'https:' || url.href !== `${url.origin}/`) {
    throw new TypeError('"authorityHost" must be an https: URL with nothing but a host and a port')
  }
  return url.origin
}

function assertCredential(credential: AzureClientCredential): void {
  if (credential.kind === 'secret') assertFunction('secret', credential.secret)
  else if (credential.kind === 'federated') assertFunction('assertion', credential.assertion)
  else if (credential.kind === 'certificate') {
    const { certificate, key, alg } = credential
    if (alg !== undefined && alg !== 'PS256' && alg !== 'RS256') throw new TypeError('"alg" must be PS256 or RS256')
    readClientCertificate(certificate, key.publicKey)
  } else throw new TypeError('"credential" must be of kind "secret", "certificate" or "federated"')
}

function assertFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`"${name}" must be a function`)
}
