import { EntraRefusal } from './refusal.ts'

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const FORM = /^application\/x-www-form-urlencoded\s*(;|$)/i

/** A token request whose form is as it should be. Nothing in it is verified. */
export interface TokenRequest {
  readonly clientId: string
  readonly scope: string
  readonly credential: { readonly secret: string } | { readonly assertion: string }
  /** The claims parameter, JSON: what a client that handles claims challenges sends (`xms_cc`: `cp1`). */
  readonly claims?: string
}

/** Reads a form. Parameters that it does not know are passed over, as MSAL sends many. @throws {EntraRefusal} */
export function parseTokenRequest(contentType: string | undefined, body: string): TokenRequest {
  const form = new Map<string, string>()
  for (const [name, value] of FORM.test(contentType ?? '') ? new URLSearchParams(body) : []) {
    if (form.has(name)) throw new EntraRefusal('AADSTS9000411', `The parameter '${name}' is duplicated`)
    form.set(name, value)
  }
  const required = (name: string): string => {
    const value = form.get(name)
    if (!value) throw new EntraRefusal('AADSTS900144', `The request body must contain the parameter '${name}'`)
    return value
  }
  if (required('grant_type') !== 'client_credentials') {
    throw new EntraRefusal('AADSTS70003', 'The emulator supports client_credentials and no other grant')
  }
  const [clientId, scope, claims] = [required('client_id'), required('scope'), form.get('claims')]
  return { clientId, scope, credential: credentialOf(form, required), ...(claims !== undefined && { claims }) }
}

function credentialOf(form: Map<string, string>, required: (name: string) => string): TokenRequest['credential'] {
  const [secret, assertion] = [form.get('client_secret'), form.get('client_assertion')]
  if (!secret && !assertion) throw new EntraRefusal('AADSTS7000216', 'client_assertion or client_secret is required')
  if (secret && assertion) throw new EntraRefusal('AADSTS90023', 'Two credentials in one request')
  if (secret) return { secret }
  if (required('client_assertion_type') !== ASSERTION_TYPE) {
    throw new EntraRefusal('AADSTS90023', 'client_assertion_type is not jwt-bearer')
  }
  return { assertion: required('client_assertion') }
}
