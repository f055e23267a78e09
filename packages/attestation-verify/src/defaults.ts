/** The machine's clock, milliseconds since the epoch: what every `clock` option defaults to. */
export const systemClock = (): number => Date.now()

/** Where Google publishes the keys of Confidential Space OIDC tokens, as a JWK set. */
export const GOOGLE_JWKS_URL =
  'https://www.googleapis.com/service_accounts/v1/metadata/jwk/signer@confidentialspace-sign.iam.gserviceaccount.com'

/** SHA-256 of Google's Confidential Space Root CA certificate, hex. It is valid until 2034-01-16. */
export const GOOGLE_ROOT_SHA256 = '148b293821bb0c6a317f413c8ba475814091cb22d49b9e3c94198db8e8f86c39'

/** Where Intel Trust Authority publishes its keys. */
export const INTEL_JWKS_URL = 'https://portal.trustauthority.intel.com/certs'
