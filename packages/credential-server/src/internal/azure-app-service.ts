import { type AzureRules, requestedResource } from './azure-resource.ts'
import type { AzureToken } from './azure-tokens.ts'
import { Refusal } from './refusal.ts'
import { type GatedRequest, type Route, singleParameters } from './route.ts'
import { createSecretCheck } from './secret-check.ts'

/** `IDENTITY_ENDPOINT`, `MSI_ENDPOINT`. */
export const APP_SERVICE_PATH = '/msi/token'

/** The version decides which header has the secret, and what `expires_on` looks like. */
const SECRET_HEADERS: ReadonlyMap<string | undefined, string> = new Map([
  ['2019-08-01', 'x-identity-header'],
  ['2017-09-01', 'secret'],
])

export interface AzureRouteInit {
  rules: AzureRules
  tokenFor: (resource: string, uid: number | undefined) => Promise<AzureToken>
}

/**
 * Managed identity as App Service and Functions have it.
 * @see {@link https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference}
 */
export function azureAppServiceRoute({
  rules,
  tokenFor,
  identityHeader,
}: AzureRouteInit & { identityHeader: string }): Route {
  const isSecret = createSecretCheck(identityHeader)
  const { clientId } = rules

  const assertSecret = (request: GatedRequest, header: string): void => {
    if (!isSecret(request.header(header))) {
      throw new Refusal(401, 'secret', 'the identity header is missing or wrong')
    }
  }

  return {
    name: 'azure-app-service',
    paths: [APP_SERVICE_PATH, `${APP_SERVICE_PATH}/`], // msrestazure asks for the second; the real service has both
    methods: ['GET'],
    handle: async (request) => {
      const parameters = singleParameters(request.query)
      const version = parameters.get('api-version')
      const header = SECRET_HEADERS.get(version)
      if (header === undefined) throw new Refusal(400, 'parameter', 'api-version must be 2019-08-01 or 2017-09-01')
      assertSecret(request, header)
      const resource = requestedResource(parameters, rules)
      const { token, expiresAt } = await tokenFor(resource, request.uid)
      const expiresOn = version === '2017-09-01' ? dateText(expiresAt) : String(Math.floor(expiresAt / 1000))
      const known = clientId === undefined ? {} : { client_id: clientId }
      return {
        body: JSON.stringify({ access_token: token, expires_on: expiresOn, resource, token_type: 'Bearer', ...known }),
      }
    },
    refusalBody: ({ status, message }) => JSON.stringify({ statusCode: status, message }),
  }
}

/** `11/05/2021 15:18:31 +00:00`, as version 2017-09-01 writes a time. */
function dateText(time: number): string {
  const [date = '', clock = ''] = new Date(time).toISOString().split('T')
  const [year, month, day] = date.split('-')
  return `${month}/${day}/${year} ${clock.slice(0, 8)} +00:00`
}
