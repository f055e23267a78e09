import { HASHES, type HashAlgorithm } from './algorithms.ts'
import { type SessionCipher, startAuthSession } from './commands/start-auth-session.ts'
import { Tpm2Error } from './errors.ts'
import { AuthSession } from './internal/auth-session.ts'
import { withoutTrailingZeros } from './internal/auth-value.ts'
import { kdfa } from './internal/kdf.ts'
import { freshNonce } from './internal/nonce.ts'
import { concat, EMPTY, wipe } from './internal/octets.ts'
import { type ExchangedSecret, exchangeSecret } from './internal/secret-exchange.ts'
import type { PublicArea } from './public-area.ts'
import { nameOf } from './public-codec.ts'
import type { CallOptions, ObjectHandle, Session, Tpm } from './tpm.ts'

/** A decryption key in the TPM that the salt of a session is sent to: what `createPrimary`, `load` and `readPublic` return. */
export interface SaltKey {
  readonly handle: number
  readonly public: PublicArea
  readonly connection?: number
  /**
   * The name that the key must have. Without it whoever sits between this program and the TPM can put a key of his own
   * in its place, and read along.
   */
  readonly expectName?: Uint8Array
}

/** What a session is to be. */
export interface SessionInit {
  readonly salt?: SaltKey
  /** An object whose authorisation value goes into the session's key. Knowing that value is then knowing the key. */
  readonly bind?: { readonly object: ObjectHandle; readonly authValue: Uint8Array }
  /** Encrypts parameters, in both directions. Needs `salt` or `bind`. Default: where there is one of them. */
  readonly encrypt?: boolean
  /** Default: `aes-128-cfb`. */
  readonly cipher?: SessionCipher
  /** Default: `sha256`. */
  readonly hash?: HashAlgorithm
}

/**
 * Starts a session whose HMACs authorise commands, and which encrypts their first parameters.
 *
 * @throws {TypeError} when it is to encrypt and has no secret to do so with.
 * @throws {Tpm2Error} `ERR_TPM_UNTRUSTED` when the salt key does not have the pinned name; and as {@link Tpm.execute}.
 * @see TPM 2.0 Part 1 §19.6
 */
export function startHmacSession(tpm: Tpm, init: SessionInit = {}, options?: CallOptions): Promise<Session> {
  return start(tpm, 'hmac', init, options)
}

/**
 * Starts a session that authorises by the policy commands run on it.
 *
 * @throws as {@link startHmacSession}.
 * @see TPM 2.0 Part 1 §19.7
 */
export function startPolicySession(tpm: Tpm, init: SessionInit = {}, options?: CallOptions): Promise<Session> {
  return start(tpm, 'policy', init, options)
}

async function start(
  tpm: Tpm,
  kind: 'hmac' | 'policy',
  { salt, bind, hash = 'sha256', ...init }: SessionInit,
  options: CallOptions | undefined,
): Promise<Session> {
  const hasSecret = salt !== undefined || bind !== undefined
  const encrypt = init.encrypt ?? hasSecret
  if (encrypt && !hasSecret) throw new TypeError('a session that encrypts must be salted or bound')
  const cipher = encrypt ? (init.cipher ?? 'aes-128-cfb') : undefined
  const exchanged: ExchangedSecret = salt === undefined ? NO_SALT : saltFor(salt)
  const authValue = Uint8Array.from(withoutTrailingZeros(bind?.authValue ?? EMPTY)) // slice() of a Buffer copies nothing
  const secrets: Uint8Array[] = [authValue]
  const nonceCaller = freshNonce(HASHES[hash].size)
  const { handle, nonceTpm, connection } = await startAuthSession(
    tpm,
    {
      kind,
      hash,
      nonceCaller,
      encryptedSalt: exchanged.encrypted,
      cipher,
      secrets,
      ...(salt === undefined ? {} : { saltKey: { ...salt, name: nameOf(salt.public) } }),
      ...(bind === undefined ? {} : { bind: bind.object }),
    },
    options,
  ).catch((error: unknown) => {
    wipe(authValue, exchanged.secret)
    throw error
  })
  const seed = concat(authValue, exchanged.secret)
  const sessionKey = hasSecret ? kdfa(hash, seed, 'ATH', nonceTpm, nonceCaller, HASHES[hash].size * 8) : EMPTY
  wipe(seed, exchanged.secret)
  secrets.push(sessionKey)
  const bound = bind === undefined ? undefined : { name: bind.object.name, authValue }
  return new AuthSession({ handle, kind, hash, cipher, sessionKey, nonceTpm, bound, connection })
}

const NO_SALT: ExchangedSecret = { secret: EMPTY, encrypted: EMPTY }

function saltFor(salt: SaltKey): ExchangedSecret {
  if (salt.expectName !== undefined && !Buffer.from(nameOf(salt.public)).equals(salt.expectName)) {
    throw new Tpm2Error('ERR_TPM_UNTRUSTED', 'the key for the salt of the session does not have the pinned name')
  }
  return exchangeSecret(salt.public, 'SECRET')
}
