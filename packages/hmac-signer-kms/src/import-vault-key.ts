import { constants, createCipheriv, createPublicKey, hash, publicEncrypt, randomBytes } from 'node:crypto'
import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'
import { createCallQueue } from './internal/call-queue.ts'
import { isObject } from './internal/checks.ts'
import { connectVault, type VaultConnectionInit } from './internal/connect-vault.ts'

/** What {@link importVaultKey} needs. */
export interface ImportVaultKeyInit extends VaultConnectionInit {
  /** Name of the transit key, which must not be there yet. */
  readonly name: string
  /** The HMAC key, 32 to 512 octets: for SigV4 `AWS4` and the secret access key. Copied; the caller wipes its own octets. */
  readonly key: Uint8Array
  /**
   * SHA-256 of Vault's wrapping key (SubjectPublicKeyInfo, DER), 64 lower-case hexadecimal digits, learnt by another way than this
   * connection. Default: whatever key is shown is taken.
   */
  readonly wrappingKeySha256?: string
}

/**
 * Puts a key into Vault's transit engine, wrapped under its RSA key: Vault's audit log and proxies that only listen do not see
 * it. Whoever breaks into the TLS connection can show a wrapping key of its own; `wrappingKeySha256` keeps that out. Not exportable, no plaintext backup, no rotation.
 *
 * @throws {TypeError | RangeError} on options that can't be right.
 * @throws {HmacBackendError}
 * @see {@link https://developer.hashicorp.com/vault/docs/secrets/transit#bring-your-own-key-byok Bring your own key}
 */
export async function importVaultKey({ name, key, wrappingKeySha256, ...init }: ImportVaultKeyInit): Promise<void> {
  if (!/^[\w-][\w.-]{0,127}$/.test(name)) throw new TypeError('"name" must be the name of a transit key')
  if (key.length < 32 || key.length > 512) throw new TypeError('"key" must have 32 to 512 octets')
  if (wrappingKeySha256 !== undefined && !/^[\da-f]{64}$/.test(wrappingKeySha256))
    throw new TypeError('"wrappingKeySha256" must be 64 lower-case hexadecimal digits')
  const copy = Uint8Array.from(key)
  const { mount = 'transit', timeoutMs = 5000 } = init
  const { client, session } = connectVault({ ...init, mount, timeoutMs })
  const queue = createCallQueue({ name: 'vault', concurrency: 1, maxWaiting: 0, timeoutMs })
  try {
    await queue.run(async (signal) => {
      const token = await session.token()
      const { data } = await client.ask({ method: 'GET', path: `${mount}/wrapping_key`, token, signal })
      const body = {
        type: 'hmac',
        hash_function: 'SHA256',
        ciphertext: wrapForVault(copy, isObject(data) ? data.public_key : undefined, wrappingKeySha256),
        exportable: false,
        allow_plaintext_backup: false,
        allow_rotation: false,
      }
      await client.ask({ method: 'POST', path: `${mount}/keys/${name}/import`, body, token, signal }).catch(notTaken)
    })
  } finally {
    copy.fill(0)
    queue.close()
    await session.close()
  }
}

/** Vault says "internal error" where it should say "conflict". */
function notTaken(cause: unknown): never {
  if (!(cause instanceof HmacBackendError) || !cause.message.includes('HTTP 500')) throw cause
  throw new HmacBackendError('ERR_HMAC_KEY', 'vault: it did not take the key: is there one of this name already?')
}

/** RSA-OAEP (SHA-256) of a fresh AES key, then the key wrapped under that (RFC 5649), in base64. */
function wrapForVault(key: Uint8Array, pem: unknown, pin: string | undefined): string {
  const kek = randomBytes(32)
  try {
    const publicKey = createPublicKey(String(pem))
    if (publicKey.asymmetricKeyType !== 'rsa' || publicKey.asymmetricKeyDetails?.modulusLength !== 4096)
      throw unusable()
    if (pin !== undefined && hash('sha256', publicKey.export({ type: 'spki', format: 'der' })) !== pin)
      throw new HmacBackendError('ERR_HMAC_UNTRUSTED', 'vault: its wrapping key is not the one that was named')
    const wrap = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
    const wrapped = Buffer.concat([wrap.update(key), wrap.final()])
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    return Buffer.concat([publicEncrypt({ key: publicKey, padding, oaepHash: 'sha256' }, kek), wrapped]).toString(
      'base64',
    )
  } catch (cause) {
    throw cause instanceof HmacBackendError ? cause : unusable()
  } finally {
    kek.fill(0)
  }
}

const unusable = (): HmacBackendError => new HmacBackendError('ERR_HMAC_RESPONSE', 'vault: no RSA-4096 wrapping key')
