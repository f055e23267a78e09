import { importPkcs11HmacKey } from '@hardbound/hmac-signer-pkcs11'
import { usageError } from '../cli-error.ts'
import { print, printJson } from '../output.ts'
import { awsHmacKey } from './aws-secret.ts'
import { credentialProcessLine, unattendedSource } from './credential-process-line.ts'
import { given, oneOf } from './flags.ts'
import { pinOf, pkcs11Failure, tokenInitOf } from './pkcs11-flags.ts'
import { readSecret } from './secret-source.ts'

/** What was given to `hardbound pkcs11 import`. */
export interface Pkcs11ImportOptions {
  readonly uri: string
  readonly secret?: string
  readonly pin?: string
  readonly keypad?: boolean
  readonly retryPin?: boolean
  readonly keyType?: string
  readonly allowModule?: string[]
  readonly anySecret?: boolean
  readonly accessKeyId?: string
  readonly region?: string
  readonly json?: boolean
}

/**
 * Reads the secret, has the token take it, and says what to do with it.
 *
 * @throws {CliError}
 */
export async function importIntoToken(options: Pkcs11ImportOptions): Promise<void> {
  const flags = {
    ...options,
    'retry-pin': options.retryPin,
    'allow-module': options.allowModule,
  }
  const keyType = oneOf('--key-type', options.keyType, ['generic-secret', 'sha256-hmac'])
  const init = { ...tokenInitOf(flags), ...given('keyType', keyType) }
  const source = options.secret ?? (process.stdin.isTTY ? 'prompt' : 'stdin')
  if (source === 'stdin' && options.pin === 'stdin') throw usageError('--secret and --pin can not both be stdin')
  const typed = await readSecret(source, '--secret')
  let secret: Buffer | undefined
  try {
    secret = awsHmacKey(typed, { any: options.anySecret === true })
    const pin = await pinOf(flags)
    report(await importPkcs11HmacKey({ ...init, ...pin, secret }), options)
  } catch (cause) {
    return pkcs11Failure(cause)
  } finally {
    typed.fill(0)
    secret?.fill(0)
  }
}

/** Says where the key is, and what to put into `~/.aws/config`. */
function report({ uri, knownAnswer }: { uri: string; knownAnswer: string }, options: Pkcs11ImportOptions): void {
  const line = credentialProcessLine('pkcs11', {
    uri,
    pin: unattendedSource(options.pin),
    keypad: options.keypad,
    'allow-module': options.allowModule,
    'known-answer': knownAnswer,
    'access-key-id': options.accessKeyId ?? 'AKIA…',
    region: options.region ?? 'eu-west-1',
  })
  if (options.json === true) printJson({ uri, knownAnswer, line })
  else {
    print(`the key is in the token and answers as it should
uri           ${uri}
known answer  ${knownAnswer}

In ~/.aws/config:
${line}`)
  }
}
