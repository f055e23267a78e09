import type { AzureRouteInit } from './azure-app-service.ts'
import { requestedResource } from './azure-resource.ts'
import { Refusal } from './refusal.ts'
import { oauthRefusalBody, type Route, singleParameters } from './route.ts'

/** Below `AZURE_POD_IDENTITY_AUTHORITY_HOST`. */
const IMDS_PATH = '/metadata/identity/oauth2/token'
const FIRST_VERSION = '2018-02-01'

/**
 * Managed identity as virtual machines have it. No secret guards it; the header only shows that the client is no web page
 * and no naive proxy.
 * @see {@link https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#get-a-token-using-http}
 */
export function azureImdsRoute({ rules, tokenFor, clock }: AzureRouteInit & { clock: () => number }): Route {
  const { clientId } = rules
  return {
    name: 'azure-imds',
    paths: [IMDS_PATH, `${IMDS_PATH}/`], // @azure/identity 4 asks for the second
    methods: ['GET'],
    handle: async (request) => {
      const metadata = request.header('metadata')
      if (metadata.length !== 1 || metadata[0]?.toLowerCase() !== 'true') {
        throw new Refusal(400, 'metadata', 'Required metadata header not specified', { error: 'bad_request_102' })
      }
      const parameters = singleParameters(request.query)
      const version = parameters.get('api-version') ?? ''
      if (!/^20\d\d-\d\d-\d\d$/.test(version) || version < FIRST_VERSION) {
        throw new Refusal(400, 'parameter', `api-version must be ${FIRST_VERSION} or later`)
      }
      const resource = requestedResource(parameters, rules)
      const { token, expiresAt, issuedAt } = await tokenFor(resource, request.uid)
      const left = String(Math.max(0, Math.floor((expiresAt - clock()) / 1000)))
      return {
        body: JSON.stringify({
          access_token: token,
          ...(clientId === undefined ? {} : { client_id: clientId }),
          expires_in: left,
          expires_on: String(Math.floor(expiresAt / 1000)),
          ext_expires_in: left,
          not_before: String(Math.floor(issuedAt / 1000)),
          resource,
          token_type: 'Bearer',
        }),
      }
    },
    refusalBody: oauthRefusalBody,
  }
}
