import { isIPv4 } from 'node:net'
import type { CredentialServerInit } from '../types.ts'
import { isAzureResource, isGuid } from './azure-resource.ts'

/** Looks at everything that can be wrong before anything listens. @throws {TypeError | RangeError} */
export function assertServerInit(init: CredentialServerInit, platform: NodeJS.Platform): void {
  const { azure, host = '127.0.0.1', port = 0, allowedUids = [], limits = {} } = init
  const { sameUserOnly = platform === 'linux' } = init
  if (typeof azure?.credential?.getToken !== 'function')
    throw new TypeError('"azure.credential" must be a TokenCredential')
  if (host !== '::1' && !(isIPv4(host) && host.startsWith('127.'))) {
    throw new TypeError('"host" must be a loopback address: 127.0.0.1 or ::1')
  }
  assertInteger('port', port, 0, 65_535)
  for (const uid of allowedUids) assertInteger('allowedUids', uid, 0, 0xffff_fffe)
  if (sameUserOnly && platform !== 'linux') throw new TypeError('"sameUserOnly" needs Linux')
  if (allowedUids.length > 0 && !sameUserOnly) throw new TypeError('"allowedUids" needs "sameUserOnly"')
  assertInteger('limits.maxConnections', limits.maxConnections ?? 512, 8, 65_536)
  assertInteger('limits.clientTimeoutMs', limits.clientTimeoutMs ?? 5000, 100, 60_000)
  assertInteger('limits.credentialTimeoutMs', limits.credentialTimeoutMs ?? 15_000, 100, 120_000)
  assertAzure(azure)
  if (azure.imds === true && !sameUserOnly && init.dangerouslyAllowAnyUser !== true) {
    throw new TypeError('"azure.imds" needs "sameUserOnly" (Linux) or "dangerouslyAllowAnyUser": no secret guards it')
  }
}

function assertAzure({ allowedResources, identityHeader, clientId }: CredentialServerInit['azure']): void {
  if (allowedResources !== undefined && (allowedResources.length === 0 || !allowedResources.every(isAzureResource))) {
    throw new TypeError('"azure.allowedResources" must be absolute URIs or GUIDs, without /.default')
  }
  if (identityHeader !== undefined && !/^[\x21-\x7e]{16,256}$/.test(identityHeader)) {
    throw new TypeError('"azure.identityHeader" must be 16 to 256 printable ASCII characters')
  }
  if (clientId !== undefined && !isGuid(clientId)) throw new TypeError('"azure.clientId" must be a GUID')
}

function assertInteger(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`"${name}" must be ${least} to ${most}, got ${value}`)
  }
}
