import { randomBytes } from 'node:crypto'
import type { AzureInit } from '../types.ts'
import { APP_SERVICE_PATH, azureAppServiceRoute } from './azure-app-service.ts'
import { azureImdsRoute } from './azure-imds.ts'
import { createAzureTokens } from './azure-tokens.ts'
import { originOf, type Side, type SideInit } from './side.ts'

/** Managed identity: the App Service form, and the IMDS form where it is wanted. */
export function createAzureSide(azure: AzureInit, init: SideInit): Side {
  const { limits = {}, clock = Date.now, random = Math.random, closing, uids, emit } = init
  const identityHeader = azure.identityHeader ?? randomBytes(32).toString('base64url')
  const tokenFor = createAzureTokens({
    credential: azure.credential,
    users: uids?.size ?? 1,
    timeoutMs: limits.credentialTimeoutMs ?? 15_000,
    clock,
    random,
    closing,
    onFailure: ({ status, reason, options: { code } }) =>
      emit({ type: 'refresh-failed', reason, status, ...(code === undefined ? {} : { code }) }),
  })
  const rules = {
    allowedResources: azure.allowedResources && new Set(azure.allowedResources),
    clientId: azure.clientId?.toLowerCase(),
  }
  return {
    routes: [
      azureAppServiceRoute({ rules, tokenFor, identityHeader }),
      ...(azure.imds === true ? [azureImdsRoute({ rules, tokenFor, clock })] : []),
    ],
    environment: (address) => {
      const endpoint = `${originOf(address)}${APP_SERVICE_PATH}`
      return {
        IDENTITY_ENDPOINT: endpoint,
        IDENTITY_HEADER: identityHeader,
        MSI_ENDPOINT: endpoint,
        MSI_SECRET: identityHeader,
        ...(azure.imds === true ? { AZURE_POD_IDENTITY_AUTHORITY_HOST: originOf(address) } : {}),
      }
    },
  }
}
