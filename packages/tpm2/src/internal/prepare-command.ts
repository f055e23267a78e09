import { hash as oneShot } from 'node:crypto'
import type { HashAlgorithm } from '../algorithms.ts'
import { HANDLE_TYPE, handleType } from '../handles.ts'
import type { ObjectHandle, Session, TpmCommand } from '../tpm.ts'
import { type AuthSession, asAuthSession } from './auth-session.ts'
import { type AuthSlot, authorisingSlot, checkSlot, encodeSlot, rollSlot, SESSION, sessionSlot } from './auth-slot.ts'
import { type CommandShape, shapeOf } from './command-table.ts'
import { encodeFrame, parseFrame } from './frame.ts'
import { concat, EMPTY, u32, wipe } from './octets.ts'
import { decryptParameter, encryptParameter, type ParameterKey } from './parameter-encryption.ts'
import { Reader } from './reader.ts'

/** A command that is ready to be sent, and what is needed to understand its answer. */
export interface PreparedCommand {
  readonly bytes: Uint8Array
  /**
   * Checks an answer, and moves the sessions on.
   *
   * @throws {Tpm2Error} `ERR_TPM_RESPONSE`.
   */
  accept(response: Uint8Array): { readonly rc: number } | { readonly handle: number; readonly parameters: Uint8Array }
}

/**
 * Encodes a command: first its parameters are encrypted, then its HMACs are made over that (Part 1 §18, §19, §21).
 *
 * @throws {TypeError} on handles or sessions that do not fit the command.
 */
export function prepareCommand(command: TpmCommand): PreparedCommand {
  const shape = shapeOf(command.command)
  const names = namesOf(command, shape)
  const slots = slotsOf(command, shape, names)
  const crypt = slots.find(({ session }) => session?.encrypts === true)
  if (crypt !== undefined && shape.sizedRequest) crypt.attributes |= SESSION.decrypt
  if (crypt !== undefined && shape.sizedResponse) crypt.attributes |= SESSION.encrypt
  // With nothing else to do for a command, a session must say that it audits it (Part 1 §19.3); its HMACs come with that.
  for (const slot of slots) {
    if (slot.authorises === undefined && slot.attributes === SESSION.continue) slot.attributes |= SESSION.audit
  }

  const parameters = crypt !== undefined && shape.sizedRequest ? encryptFirst(command, crypt) : command.parameters
  const cpHash = ({ hash }: AuthSession): Uint8Array =>
    digest(hash, u32(shape.code), ...names.map(({ name }) => name), parameters)
  const auths = slots.map((slot, at) => encodeSlot(slot, cpHash, at === 0 ? otherNonce(slots, crypt) : EMPTY))
  const area = auths.length === 0 ? undefined : concat(...auths)
  const bytes = encodeFrame(
    shape.code,
    names.map(({ handle }) => handle),
    area,
    parameters,
  )
  wipe(command.parameters, area, ...auths)
  return { bytes, accept: (response) => accept(command, shape, slots, crypt, response) }
}

/** Handles with their names; what is no object is its own name (Part 1 §16). */
function namesOf({ command, handles }: TpmCommand, shape: CommandShape): ObjectHandle[] {
  if (handles.length !== shape.handles) throw new TypeError(`${command} takes ${shape.handles} handles`)
  return handles.map((it) => {
    if (typeof it !== 'number') return it
    const type = handleType(it)
    if (type === HANDLE_TYPE.transient || type === HANDLE_TYPE.persistent || type === HANDLE_TYPE.nvIndex) {
      throw new TypeError(`${command}: an object is given with its name; read it with readPublic`)
    }
    return { handle: it, name: u32(it) }
  })
}

function slotsOf(command: TpmCommand, shape: CommandShape, names: readonly ObjectHandle[]): AuthSlot[] {
  const authorised = names.slice(0, shape.auths)
  if ((command.auths?.length ?? 0) > authorised.length) throw new TypeError(`${command.command}: too many "auths"`)
  const slots = authorised.map(({ name }, at) => authorisingSlot(command.auths?.[at], name))
  const taken = new Set<Session | undefined>(slots.map(({ session }) => session))
  for (const session of new Set(command.sessions)) {
    if (!taken.has(session)) slots.push(sessionSlot(asAuthSession(session)))
  }
  if (slots.length > 3) throw new TypeError(`${command.command}: at most three sessions`)
  return slots
}

/** nonceTPM of the session that encrypts, for the first session's HMAC where that is another one. */
function otherNonce(slots: readonly AuthSlot[], crypt: AuthSlot | undefined): Uint8Array {
  const active = crypt !== undefined && (crypt.attributes & (SESSION.decrypt | SESSION.encrypt)) !== 0
  return active && crypt !== slots[0] ? (crypt.session?.nonceTpm ?? EMPTY) : EMPTY
}

function parameterKey({ session, authorises }: AuthSlot, nonceNewer: Uint8Array, nonceOlder: Uint8Array): ParameterKey {
  if (session?.cipher === undefined) throw new TypeError('the session does not encrypt')
  const sessionValue = session.sessionValue(authorises?.authValue ?? EMPTY)
  return { cipher: session.cipher, hash: session.hash, sessionValue, nonceNewer, nonceOlder }
}

function encryptFirst({ command, parameters }: TpmCommand, crypt: AuthSlot): Uint8Array {
  const key = parameterKey(crypt, crypt.nonceCaller, crypt.session?.nonceTpm ?? EMPTY)
  return onFirst(parameters, command, (content) => encryptParameter(key, content), key)
}

/** Replaces the content of the first TPM2B. */
function onFirst(
  parameters: Uint8Array,
  command: string,
  transform: (content: Uint8Array) => Uint8Array,
  key: ParameterKey,
): Uint8Array {
  const content = new Reader(parameters, command).sized()
  const replaced = transform(content)
  const all = concat(parameters.subarray(0, 2), replaced, parameters.subarray(2 + content.length))
  wipe(content, replaced, key.sessionValue)
  return all
}

function accept(
  { command }: TpmCommand,
  shape: CommandShape,
  slots: readonly AuthSlot[],
  crypt: AuthSlot | undefined,
  response: Uint8Array,
): ReturnType<PreparedCommand['accept']> {
  const frame = parseFrame(response, command, shape, slots.length)
  if ('rc' in frame) return frame
  const { handle, parameters, sessions } = frame
  const reader = new Reader(EMPTY, command)
  assertMade(shape, handle, reader)
  const rpHash = ({ hash }: AuthSession): Uint8Array => digest(hash, u32(0), u32(shape.code), parameters)
  const pairs = slots.map((slot, at) => [slot, sessions[at] ?? NO_SESSION] as const)
  for (const [slot, session] of pairs) checkSlot(slot, session, rpHash, reader)
  for (const [slot, session] of pairs) rollSlot(slot, session.nonce)
  if (crypt?.session === undefined || !shape.sizedResponse) return { handle, parameters }
  const key = parameterKey(crypt, crypt.session.nonceTpm, crypt.nonceCaller)
  return { handle, parameters: onFirst(parameters, command, (content) => decryptParameter(key, content), key) }
}

const NO_SESSION = { nonce: EMPTY, attributes: 0, hmac: EMPTY }

/** What was made must have a handle of its kind: never 0, and never somebody else's. */
function assertMade({ makes }: CommandShape, handle: number, reader: Reader): void {
  const type = handleType(handle)
  if (makes === 'object' && type !== HANDLE_TYPE.transient) throw reader.malformed('the new object has no handle')
  if (makes === 'session' && type !== HANDLE_TYPE.hmacSession && type !== HANDLE_TYPE.policySession) {
    throw reader.malformed('the new session has no handle')
  }
}

function digest(hash: HashAlgorithm, ...parts: readonly Uint8Array[]): Uint8Array {
  const all = concat(...parts)
  const result = oneShot(hash, all, 'buffer')
  wipe(all) // parameters that nothing encrypts may be secret all the same
  return result
}
