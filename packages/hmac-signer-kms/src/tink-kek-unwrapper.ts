import { type AwsKmsUnwrapperInit, awsKmsUnwrapper } from './aws-kms-unwrapper.ts'
import { type GoogleKmsUnwrapperInit, googleKmsUnwrapper } from './google-kms-unwrapper.ts'
import type { KeyUnwrapper } from './key-unwrapper.ts'

/** What {@link tinkKekUnwrapper} needs besides the URI. */
export interface TinkKekOptions {
  /** What the keyset was encrypted with. Tink's tools use none. */
  readonly associatedData?: Uint8Array
  readonly aws?: Omit<AwsKmsUnwrapperInit, 'keyId' | 'encryptionContext'>
  readonly google?: Omit<GoogleKmsUnwrapperInit, 'keyName' | 'additionalAuthenticatedData'>
}

/**
 * The key-encryption key that a Tink URI names, used as Tink's AWS and Google integrations use it: AWS KMS gets associated
 * data in hexadecimal as the encryption context `associatedData`, Cloud KMS as it is, and neither gets any that is empty.
 *
 * @param uri `aws-kms://arn:aws:kms:…:key/…` or `gcp-kms://projects/…/cryptoKeys/…`
 * @throws {TypeError} on options that can't be right.
 */
export function tinkKekUnwrapper(uri: string, { associatedData, aws, google }: TinkKekOptions = {}): KeyUnwrapper {
  const data = Buffer.from(associatedData ?? [])
  if (uri.startsWith('aws-kms://')) {
    const encryptionContext = data.length === 0 ? {} : { associatedData: data.toString('hex') }
    return awsKmsUnwrapper({ ...aws, keyId: uri.slice('aws-kms://'.length), encryptionContext })
  }
  if (uri.startsWith('gcp-kms://')) {
    return googleKmsUnwrapper({ ...google, keyName: uri.slice('gcp-kms://'.length), additionalAuthenticatedData: data })
  }
  throw new TypeError('"uri" must begin with aws-kms:// or gcp-kms://')
}
