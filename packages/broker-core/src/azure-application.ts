import type { AzureClientCredential } from './azure-credentials.ts'

/** The clouds of Microsoft, each with an Entra ID of its own. */
export type AzureCloud = 'public' | 'usgovernment' | 'china'

/** An app registration that grants may name. */
export interface AzureApplication {
  /** Directory (tenant) id, a GUID in lower case. */
  readonly tenantId: string
  /** Application (client) id, a GUID in lower case. */
  readonly clientId: string
  /** Default: `public`. */
  readonly cloud?: AzureCloud
  /** In place of a cloud's: `https:` URL without a path. `AZURE_AUTHORITY_HOST` and proxy variables are not read. */
  readonly authorityHost?: string
  /** How the broker proves that it is this application. */
  readonly credential: AzureClientCredential
}
