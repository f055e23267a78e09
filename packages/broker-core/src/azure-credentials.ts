import type { KeyObject } from 'node:crypto'
import { readCredentialFile } from './internal/entra-file.ts'

/** Signature algorithms of client assertions that Entra takes (RFC 7518 §3.3, §3.5). */
export type AssertionAlg = 'PS256' | 'RS256'

/**
 * The private key of a client certificate, in software or in a device. What `@hardbound/pkcs11/signing-key` and
 * `@hardbound/tpm2/signing-key` open is one.
 */
export interface AssertionKey {
  /** RSA with at least 2048 bits; Entra takes no other. */
  readonly publicKey: KeyObject
  /** Signs the message. PSS has a salt of 32 octets (RFC 7518 §3.5). */
  sign(
    message: Uint8Array,
    scheme: { scheme: 'rsassa-pss' | 'rsassa-pkcs1-v1_5'; hash: 'sha256' },
    options?: { signal?: AbortSignal },
  ): Promise<Uint8Array>
}

/** A client secret; asked for each time one is sent, so that it can be rotated. */
export interface AzureSecretCredential {
  readonly kind: 'secret'
  readonly secret: () => Promise<string>
}

/** A client certificate, proven by a signature. Only the registered (leaf) certificate matters to Entra. */
export interface AzureCertificateCredential {
  readonly kind: 'certificate'
  /** PEM, or DER. Of several in PEM, the first. */
  readonly certificate: string | Uint8Array
  readonly key: AssertionKey
  /** Default: `PS256`. `RS256` for a key that can't do PSS with a salt of 32 octets, as in some TPMs. */
  readonly alg?: AssertionAlg
}

/** A JWT of another issuer that Entra was told to trust; asked for each time one is sent. */
export interface AzureFederatedCredential {
  readonly kind: 'federated'
  readonly assertion: () => Promise<string>
}

/** How the broker proves to Entra that it is an application. */
export type AzureClientCredential = AzureSecretCredential | AzureCertificateCredential | AzureFederatedCredential

/**
 * A client secret in a file, read anew each time. The file is a regular one with one line, belongs to us or to root, and is
 * open to nobody else (mode 0600). Reading rejects with `AzureCredentialError` `ERR_AZURE_CREDENTIAL_FILE`.
 */
export const clientSecretFile = (path: string): AzureSecretCredential => ({
  kind: 'secret',
  secret: () => readCredentialFile(path, { private: true }),
})

/**
 * A federated token in a file, as workload identity of Kubernetes has it (`AZURE_FEDERATED_TOKEN_FILE`), read anew each time.
 * Its mode is the cluster's business. Reading rejects with `AzureCredentialError` `ERR_AZURE_CREDENTIAL_FILE`.
 */
export const federatedTokenFile = (path: string): AzureFederatedCredential => ({
  kind: 'federated',
  assertion: () => readCredentialFile(path, { private: false }),
})
