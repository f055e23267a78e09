import { createHmac } from 'node:crypto'
import { checkKnownAnswer, type HmacBackend, HmacBackendError, knownAnswer } from '@hardbound/sigv4-hmac/backend'
import { encodePublic, type ObjectHandle, type PublicArea, type Tpm } from '@hardbound/tpm2'
import { create, evictControl, flushContext, hmacKeyTemplate, load } from '@hardbound/tpm2/commands'
import { writeKeyFile } from '@hardbound/tpm2/key-file'
import {
  createGate,
  type Gate,
  isPersistent,
  type KeyAuthOptions,
  openDevice,
  type ParentOptions,
  type Plan,
  type Protection,
  pcrPolicy,
  protect,
  type Settings,
  settingsOf,
  type TpmOptions,
  using,
  withParent,
} from '@hardbound/tpm2/keys'
import { rethrow } from './internal/errors.ts'
import { asBackend } from './internal/hmac-key.ts'
import { openTpmHmac } from './open-tpm-hmac.ts'

/** What to put into a TPM, and how. */
export interface ImportTpmHmacKeyInit extends TpmOptions, KeyAuthOptions, ParentOptions {
  /** The HMAC key, 1 to 64 octets; for AWS `AWS4` and the secret access key. Not kept; wipe yours. */
  readonly secret: Uint8Array
  /** Persistent handle of the parent; or `owner`, whose H-2 primary is made each time. Default: `owner`. Not with `useEkParent`. */
  readonly parent?: number | 'owner'
  /** Keeps the key in the TPM at this handle, `0x81000000` to `0x817fffff`, in place of a file. */
  readonly persistentHandle?: number
  /** Password of the owner hierarchy, which keeps keys. Copied. Default: empty. */
  readonly ownerAuth?: Uint8Array
  /** Wrong passwords for this key don't count towards the TPM's lockout, so they can be guessed. Default: they count. */
  readonly noDictionaryAttackProtection?: boolean
  /** Into the file. */
  readonly description?: string
  /** For everything together. Default: 60,000. */
  readonly timeoutMs?: number
}

/** Where the key is now. */
export interface ImportedTpmHmacKey {
  /** TSS2 PRIVATE KEY, of use in this TPM alone. Where no handle was asked for. */
  readonly pem?: string
  readonly handle?: number
  /** Name of the key, in hexadecimal. */
  readonly name: string
  /** For `knownAnswer` of {@link openTpmHmac}. */
  readonly knownAnswer: string
}

/**
 * Puts a secret into a TPM, from where it never comes out: `fixedTPM`, for signing alone, bound to its password and PCRs. It is tried
 * before it is kept, and again from where it is kept; a handle whose key does not answer as it should is given back, or named.
 *
 * Without `sessionEncryption` the secret crosses the bus in clear, once.
 *
 * @throws {HmacBackendError}
 * @throws {TypeError} or {RangeError} on options that can't be right.
 */
export async function importTpmHmacKey(init: ImportTpmHmacKeyInit): Promise<ImportedTpmHmacKey> {
  const { persistentHandle, timeoutMs = 60_000 } = init
  assertInit(init)
  const expected = await knownAnswer(inSoftware(init.secret))
  const settings = settingsOf(init)
  const ownerAuth = Uint8Array.from(init.ownerAuth ?? [])
  let gate: Gate | undefined
  try {
    const device = await openDevice(init, timeoutMs).catch(rethrow)
    gate = createGate(device, { timeoutMs, maxWaiting: 1 })
    const enrolling = { ...init, ownerAuth }
    const { pem, key } = await gate.alone((tpm) => enrol(tpm, enrolling, settings, expected)).catch(rethrow)
    const where = persistentHandle === undefined ? { pem } : { handle: persistentHandle }
    try {
      const backend = await openTpmHmac({ ...init, tpm: device.tpm, key: where, knownAnswer: expected, timeoutMs })
      await backend.close()
    } catch (error) {
      if (persistentHandle === undefined) throw error
      await gate
        .alone((tpm) => giveBack(tpm, key, enrolling, settings))
        .catch(() => {
          throw stillThere(error, persistentHandle)
        })
      throw error
    }
    return { ...where, name: Buffer.from(key.name).toString('hex'), knownAnswer: expected }
  } finally {
    await gate?.close()
    settings.wipe()
    ownerAuth.fill(0)
  }
}

/** Makes the key, and keeps it where that was asked for. */
async function enrol(tpm: Tpm, init: ImportTpmHmacKeyInit, settings: Settings, expected: string) {
  const protection = await protect(tpm, settings.encryption)
  const { sessions } = protection
  const template = await templateFor(tpm, init, settings, protection)
  const handle = settings.ekParent
    ? ENDORSEMENT
    : init.parent === undefined || init.parent === 'owner'
      ? OWNER
      : init.parent
  return withParent(tpm, { handle }, settings, protection, async (parent) => {
    const made = await using(tpm, await parent.authorize(), (auth) =>
      create(tpm, { parent, auth, template, userAuth: settings.keyAuth, sensitiveData: init.secret, sessions }),
    )
    const pem = writeKeyFile({
      type: 'loadable',
      emptyAuth: settings.keyAuth.length === 0,
      parent: handle,
      public: encodePublic(made.public),
      private: made.private,
      ...(init.description !== undefined && { description: init.description }),
    })
    const key = await using(tpm, await parent.authorize(), (auth) => load(tpm, { parent, auth, ...made, sessions }))
    // Before it is kept: nothing is left behind of a key that can't be used.
    const use = { key: { public: made.public, at: key }, plan: planOf(settings), settings, protection }
    await checkKnownAnswer(asBackend(tpm, use), expected)
    await keep(tpm, key, init, protection)
    await flushContext(tpm, key)
    return { pem, key }
  })
}

/** Makes a loaded key persistent, and a persistent one not: TPM2_EvictControl does both. */
async function keep(tpm: Tpm, object: ObjectHandle, init: ImportTpmHmacKeyInit, protection: Protection): Promise<void> {
  const { persistentHandle, ownerAuth = new Uint8Array() } = init
  if (persistentHandle === undefined) return
  await evictControl(tpm, { object, persistentHandle, auth: await protection.authorize(ownerAuth) })
}

async function giveBack(
  tpm: Tpm,
  key: ObjectHandle,
  init: ImportTpmHmacKeyInit,
  { encryption }: Settings,
): Promise<void> {
  const { persistentHandle: handle = 0 } = init
  await keep(tpm, { handle, name: key.name }, init, await protect(tpm, encryption))
}

/** The first error is the one to know of, and that there is something to clean up. */
function stillThere(error: unknown, handle: number): unknown {
  if (!(error instanceof HmacBackendError)) return error
  const message = `${error.message}; the key is still at 0x${handle.toString(16)}, as it could not be removed`
  return new HmacBackendError(error.code, message, { cause: error })
}

/** How keys of {@link templateFor} are authorised. */
const planOf = ({ pcrs, keyAuth }: Settings): Plan =>
  pcrs === undefined ? { kind: 'password' } : { kind: 'policy', pcrs, authValue: keyAuth.length > 0, or: undefined }

/** Signs, never leaves this TPM; with PCRs only by its policy, also for changes to itself. */
async function templateFor(
  tpm: Tpm,
  init: ImportTpmHmacKeyInit,
  { pcrs, keyAuth }: Settings,
  protection: Protection,
): Promise<PublicArea> {
  const noDA = init.noDictionaryAttackProtection === true ? (['noDA'] as const) : []
  if (pcrs === undefined) {
    return hmacKeyTemplate({ attributes: ['fixedTPM', 'fixedParent', 'userWithAuth', 'sign', ...noDA] })
  }
  const policy = await pcrPolicy(tpm, pcrs, protection)
  return hmacKeyTemplate({
    attributes: ['fixedTPM', 'fixedParent', 'adminWithPolicy', 'sign', ...noDA],
    authPolicy: (keyAuth.length > 0 ? policy.authValue() : policy).digest,
  })
}

/** TPM_RH_OWNER, TPM_RH_ENDORSEMENT: Part 2 §7.4 */
const OWNER = 0x40000001
const ENDORSEMENT = 0x4000000b

function assertInit({ secret, persistentHandle, parent = 'owner', useEkParent = false }: ImportTpmHmacKeyInit): void {
  if (!(secret instanceof Uint8Array) || secret.length < 1 || secret.length > 64) {
    throw new TypeError('"secret" must be 1 to 64 octets') // longer keys are hashed by the TPM before they are used
  }
  if (persistentHandle !== undefined && !(isPersistent(persistentHandle) && persistentHandle < 0x81800000)) {
    throw new RangeError('"persistentHandle" must be 0x81000000 to 0x817fffff')
  }
  if (parent !== 'owner' && !isPersistent(parent)) throw new RangeError('"parent" must be owner or a persistent handle')
  if (parent !== 'owner' && useEkParent !== false) throw new TypeError('"parent" and "useEkParent" exclude each other')
}

/** The same key without a TPM, for what it should answer. */
const inSoftware = (secret: Uint8Array): HmacBackend => ({
  name: 'software',
  hmacSha256: (message) => Promise.resolve(createHmac('sha256', secret).update(message).digest()),
  close: () => Promise.resolve(),
})
