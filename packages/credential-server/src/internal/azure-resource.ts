import { Refusal } from './refusal.ts'

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** RFC 3986 without query, fragment and escapes. No space: that would make two scopes of one. */
const URI = /^[a-z][a-z0-9+.-]{0,31}:\/\/[\w.~:@[\]!$&'()*+,;=-][\w.~:/@[\]!$&'()*+,;=-]*$/i
const MAX_LENGTH = 512

/** Is this an Entra resource: an absolute URI (`https://storage.azure.com/`, `api://…`), or a GUID? */
export function isAzureResource(resource: string): boolean {
  return resource.length <= MAX_LENGTH && (GUID.test(resource) || URI.test(resource)) && !resource.endsWith('/.default')
}

/** Is this a GUID? */
export function isGuid(text: string): boolean {
  return GUID.test(text)
}

/** What of {@link AzureInit} decides about a request. */
export interface AzureRules {
  allowedResources: ReadonlySet<string> | undefined
  /** In lower case. */
  clientId: string | undefined
}

/** Names by which the services choose among several identities; `clientid` is the one of 2017-09-01. */
const SELECTORS = ['object_id', 'principal_id', 'msi_res_id', 'mi_res_id'] as const

/**
 * The resource that a query asks for.
 * @throws {Refusal} 400 for an identity that is not the configured one, or without a resource; 403 for one that is not allowed.
 */
export function requestedResource(
  parameters: ReadonlyMap<string, string>,
  { allowedResources, clientId }: AzureRules,
): string {
  const asked = ['client_id', 'clientid']
    .map((it) => parameters.get(it)?.toLowerCase())
    .filter((it) => it !== undefined)
  if (SELECTORS.some((it) => parameters.has(it)) || asked.some((it) => it !== clientId)) {
    throw new Refusal(400, 'identity', 'Identity not found')
  }
  const resource = parameters.get('resource')
  if (resource === undefined || resource === '') {
    throw new Refusal(400, 'parameter', 'Required audience parameter not specified')
  }
  if (!isAzureResource(resource)) {
    throw new Refusal(400, 'resource', 'the resource is not an absolute URI or a GUID', { error: 'invalid_resource' })
  }
  if (allowedResources !== undefined && !allowedResources.has(resource)) {
    throw new Refusal(403, 'resource', 'this resource is not served here')
  }
  return resource
}
