import type { PcrSelection } from '../pcr-selection.ts'
import type { Tpm } from '../tpm.ts'

/** A key in the endorsement or owner hierarchy: by template (TCG EK Credential Profile, Provisioning Guidance), or where it is kept. */
export type SaltKey = 'ek-rsa' | 'ek-ecc' | 'srk-rsa' | 'srk-ecc' | number

/** Encrypts what crosses the bus, in both directions, for a TPM that is known beforehand. */
export interface SessionEncryption {
  /**
   * Name of the salt key, in hexadecimal: `000b` and 64 digits. It is what makes the encryption worth something: whoever sits between us
   * and the TPM could else show a key of his own. Read it once, where nobody sits there: `readTpmKeyName`, or tpm2_readpublic.
   */
  readonly name: string
  /** Default: `ek-rsa`, as go-tpm programs have it. RSA keys take a TPM seconds to make; `ek-ecc`, or a persistent handle, do not. */
  readonly key?: SaltKey
}

/** Which TPM, and how to speak to it. */
export interface TpmOptions {
  /** Address as `openTransport` takes it: `/dev/tpmrm0`, `unix:/path`; or a `Tpm`, which stays open. */
  readonly tpm: string | Tpm
  /** Without it, passwords and what they protect cross the bus in clear: right for a TPM within the CPU, not for a chip with probes at its pins. */
  readonly sessionEncryption?: SessionEncryption
  /** TCP addresses have neither authentication nor encryption: for tests alone. */
  readonly dangerouslyAllowTcp?: boolean
}

/** Under what a key is. */
export interface ParentOptions {
  /**
   * Password of the hierarchy where the parent is made on the fly (the endorsement's with `useEkParent`), of the parent where it is
   * persistent. Copied; the copy is wiped on close. Default: empty.
   */
  readonly parentAuth?: Uint8Array
  /** The parent is the endorsement key, whatever the key file says. `true` is RSA 2048. */
  readonly useEkParent?: boolean | 'rsa' | 'ecc'
}

/** What a key wants to see before it is used. */
export interface KeyAuthOptions {
  /** Password of the key. Copied; the copy is wiped on close. Default: empty. */
  readonly keyAuth?: Uint8Array
  /** PCRs whose values its policy holds, such as `parsePcrs('sha256:0,7')`. */
  readonly pcrs?: readonly PcrSelection[]
}
