import type { CommandName } from './internal/command-table.ts'

/** A session that was started with `startHmacSession` or `startPolicySession`. */
export interface Session {
  /** TPMI_SH_AUTH_SESSION. */
  readonly handle: number
  readonly kind: 'hmac' | 'policy'
  /** Whether it encrypts the first parameter of commands and of responses, where the command has one that can be. */
  readonly encrypts: boolean
  /** The {@link Tpm.connection} on which it lives. */
  readonly connection: number
}

/**
 * How a command shows that it may use an object: the password in clear; a session whose object has no authorisation
 * value, or whose policy needs none; or a session with the value, which then never crosses the wire (but for
 * `policyPassword`).
 */
export type Authorization =
  | { readonly password: Uint8Array }
  | Session
  | { readonly session: Session; readonly authValue: Uint8Array }

/** An object in the TPM: by handle, and by the name that no other object has. */
export interface ObjectHandle {
  /** TPM_HANDLE: transient `0x80……`, persistent `0x81……`. */
  readonly handle: number
  /** Algorithm and digest of the public area (Part 1 §16); empty for a sequence. */
  readonly name: Uint8Array
  /** The {@link Tpm.connection} on which a transient object was loaded. With it, an object that has gone is noticed. */
  readonly connection?: number
}

/** One command, as Part 3 lays it out. */
export interface TpmCommand {
  /** `TPM2_HMAC`. */
  readonly command: CommandName
  /** In the order of Part 3. A bare number stands for what is its own name: hierarchies, PCRs, sessions. */
  readonly handles: readonly (ObjectHandle | number)[]
  /** For the handles that need one, in their order. Default: the empty password. */
  readonly auths?: readonly (Authorization | undefined)[]
  /** Further sessions, for encryption. Three at most with those that authorise. */
  readonly sessions?: readonly Session[] | undefined
  /** The parameter area. Taken over: it is wiped when the command has been sent, or can't be. */
  readonly parameters: Uint8Array
  /** For what the command makes: taken over, and wiped when that has gone. Is looked at only then. */
  readonly secrets?: readonly Uint8Array[] | undefined
}

/** What the TPM answered: checked as far as header, sessions and HMACs go. */
export interface TpmResponse {
  /** Handle of what was made; 0 for commands that make nothing. */
  readonly handle: number
  /** The parameter area, decrypted. */
  readonly parameters: Uint8Array
  /** The {@link Tpm.connection} it came over. */
  readonly connection: number
}

/** For each call. */
export interface CallOptions {
  /** Ends the waiting. A command that the TPM has already got runs to its end, and what it made is flushed. */
  readonly signal?: AbortSignal | undefined
}

/** A TPM. Commands are functions that take it. */
export interface Tpm {
  /** Where it is, for messages. */
  readonly description: string
  /** Counts connections from 1. When it has changed, all transient objects and sessions from before have gone. */
  readonly connection: number
  /**
   * Queues one command: authorises it, encrypts its first parameter, sends it, repeats it when the TPM asks for that,
   * and checks the answer. Never repeats a command whose connection broke.
   *
   * @throws {Tpm2Error} Any code but `ERR_TPM_UNTRUSTED` and `ERR_TPM_KEY_FILE`.
   * @throws {TypeError} on handles or sessions that do not fit the command.
   */
  execute(command: TpmCommand, options?: CallOptions): Promise<TpmResponse>
  /**
   * Runs work that takes several commands, alone: no other caller's command comes in between, and the connection is not
   * replaced. Transient objects and sessions that were made in it are flushed at its end, however it ends.
   *
   * @param work Gets the `Tpm` to use inside. Using the outer one there waits for ever.
   */
  exclusively<T>(work: (tpm: Tpm) => Promise<T>, options?: CallOptions): Promise<T>
  /** Flushes what is left, and closes the connection. Never throws; a second call does nothing. */
  close(): Promise<void>
}
