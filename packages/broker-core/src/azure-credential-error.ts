/** Why an application's credential can't be used. */
export type AzureCredentialErrorCode =
  | 'ERR_AZURE_CREDENTIAL_FILE' // missing, not a regular file, open to others, too large, or empty
  | 'ERR_AZURE_CREDENTIAL_FORMAT' // not what it should be: PEM, PKCS #12, a secret, a JWT
  | 'ERR_AZURE_CREDENTIAL_PASSWORD' // wrong, or missing
  | 'ERR_AZURE_CREDENTIAL_KEY' // not RSA with at least 2048 bits, or not the certificate's
  | 'ERR_AZURE_CREDENTIAL_VALIDITY' // the certificate is not valid yet, or not any more
  | 'ERR_AZURE_CREDENTIAL_SIGNATURE' // the key's signature does not verify

/** A credential of an Azure application can't be used. Messages name files and certificates; never what is secret. */
export class AzureCredentialError extends Error {
  override readonly name = 'AzureCredentialError'
  readonly code: AzureCredentialErrorCode

  constructor(code: AzureCredentialErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
