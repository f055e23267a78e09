import type { STSClient, STSClientConfig } from '@aws-sdk/client-sts'
import { createStsHttpHandler, type StsHttpHandlerInit } from './sts-http-handler.ts'

export interface StsClientsInit extends StsHttpHandlerInit {
  readonly credentials: STSClientConfig['credentials']
  readonly signerConstructor: STSClientConfig['signerConstructor']
  /** URL for a region; `undefined`: AWS's own regional endpoint. */
  readonly endpointOf: (region: string) => string | undefined
}

export type StsSdk = typeof import('@aws-sdk/client-sts')

/** A tenth of the CPU of a call, for logs that we don't keep and a User-Agent that our handler sets. */
const NEEDLESS = ['loggerMiddleware', 'getUserAgentMiddleware', 'recursionDetectionMiddleware']

/** One STS client per region, made and imported on first use; all share one HTTP handler. */
export function createStsClients(init: StsClientsInit) {
  const handler = createStsHttpHandler(init)
  const clients = new Map<string, STSClient>()
  let sdk: Promise<StsSdk> | undefined
  return {
    async get(region: string): Promise<{ sdk: StsSdk; client: STSClient }> {
      sdk ??= importSdk()
      const loaded = await sdk
      let client = clients.get(region)
      if (client === undefined) {
        const endpoint = init.endpointOf(region)
        client = new loaded.STSClient({
          region,
          maxAttempts: 3,
          retryMode: 'standard',
          requestHandler: handler,
          ignoreConfiguredEndpointUrls: true, // AWS_ENDPOINT_URL: where requests go is our own configuration
          ...(endpoint === undefined ? {} : { endpoint }),
          ...(init.credentials === undefined ? {} : { credentials: init.credentials }),
          ...(init.signerConstructor === undefined ? {} : { signerConstructor: init.signerConstructor }),
        })
        for (const name of NEEDLESS) client.middlewareStack.remove(name)
        clients.set(region, client)
      }
      return { sdk: loaded, client }
    },
    close: () => handler.destroy(),
  }
}

/** The SDK prints a notice about old Node versions; what a broker prints is the broker's business. */
async function importSdk(): Promise<StsSdk> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  return await import('@aws-sdk/client-sts')
}
