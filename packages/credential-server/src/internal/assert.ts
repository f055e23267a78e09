import { isIPv4 } from 'node:net'
import { isAbsolute } from 'node:path'
import type { AzureInit, CredentialServerInit } from '../types.ts'
import { assertAws } from './assert-aws.ts'
import { assertInteger } from './assert-integer.ts'
import { isAzureResource, isGuid } from './azure-resource.ts'

/** Looks at everything that can be wrong before anything listens. @throws {TypeError | RangeError} */
export function assertServerInit(init: CredentialServerInit, platform: NodeJS.Platform): void {
  const { aws, azure, host = '127.0.0.1', port = 0, allowedUids = [], limits = {}, socketPath } = init
  const { sameUserOnly = platform === 'linux' && socketPath === undefined } = init
  if (aws === undefined && azure === undefined) throw new TypeError('"aws" or "azure" is needed')
  if (host !== '::1' && !(isIPv4(host) && host.startsWith('127.'))) {
    throw new TypeError('"host" must be a loopback address: 127.0.0.1 or ::1')
  }
  assertInteger('port', port, 0, 65_535)
  assertInteger('allowedUids.length', allowedUids.length, 0, 255)
  if (socketPath !== undefined) assertSocketPath(init, platform)
  for (const uid of allowedUids) assertInteger('allowedUids', uid, 0, 0xffff_fffe)
  if (sameUserOnly && platform !== 'linux') throw new TypeError('"sameUserOnly" needs Linux')
  if (allowedUids.length > 0 && !sameUserOnly) throw new TypeError('"allowedUids" needs "sameUserOnly"')
  assertInteger('limits.maxConnections', limits.maxConnections ?? 512, 8, 65_536)
  assertInteger('limits.clientTimeoutMs', limits.clientTimeoutMs ?? 5000, 100, 60_000)
  assertInteger('limits.credentialTimeoutMs', limits.credentialTimeoutMs ?? 15_000, 100, 120_000)
  const allAws = aws === undefined ? [] : [aws].flat()
  if (aws !== undefined) assertAws(allAws)
  if (azure !== undefined) assertAzure(azure)
  if (sameUserOnly || socketPath !== undefined || init.dangerouslyAllowAnyUser === true) return
  const open = azure?.imds === true ? 'azure.imds' : allAws.some((it) => it.imds !== false) ? 'aws.imds' : undefined
  if (open === undefined) return
  throw new TypeError(`"${open}" needs "sameUserOnly" (Linux) or "dangerouslyAllowAnyUser": no secret guards it`)
}

function assertSocketPath(
  { socketPath = '', host, port, sameUserOnly }: CredentialServerInit,
  platform: NodeJS.Platform,
): void {
  if (!isAbsolute(socketPath) || platform === 'win32') throw new TypeError('"socketPath" must be an absolute path')
  if (host !== undefined || port !== undefined) throw new TypeError('"socketPath" goes without "host" and "port"')
  if (sameUserOnly === true) throw new TypeError('"sameUserOnly" is for TCP: the mode of "socketPath" is 0600')
}

function assertAzure({ credential, allowedResources, identityHeader, clientId }: AzureInit): void {
  if (typeof credential?.getToken !== 'function') throw new TypeError('"azure.credential" must be a TokenCredential')
  if (allowedResources !== undefined && (allowedResources.length === 0 || !allowedResources.every(isAzureResource))) {
    throw new TypeError('"azure.allowedResources" must be absolute URIs or GUIDs, without /.default')
  }
  if (identityHeader !== undefined && !/^[\x21-\x7e]{16,256}$/.test(identityHeader)) {
    throw new TypeError('"azure.identityHeader" must be 16 to 256 printable ASCII characters')
  }
  if (clientId !== undefined && !isGuid(clientId)) throw new TypeError('"azure.clientId" must be a GUID')
}
