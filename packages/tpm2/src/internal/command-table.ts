/** What Part 3 and TPMA_CC (Part 2 §8.9) say of a command. */
export interface CommandShape {
  /** TPM_CC. */
  readonly code: number
  /** Handles in the command, and how many of them, from the first on, need an authorisation. */
  readonly handles: number
  readonly auths: number
  /** What the handle in the response is of. */
  readonly makes?: 'object' | 'session'
  /** Whether its first handle has gone afterwards. */
  readonly flushes?: true
  /** Whether the first parameter is a TPM2B, so that a session can encrypt it: of the command, of the response. */
  readonly sizedRequest?: true
  readonly sizedResponse?: true
  /** Makes key material, which takes some TPMs a minute. */
  readonly slow?: true
}

const both = { sizedRequest: true, sizedResponse: true } as const

/** The commands that this package knows. */
export const COMMANDS = {
  TPM2_EvictControl: { code: 0x120, handles: 2, auths: 1 },
  TPM2_CreatePrimary: { code: 0x131, handles: 1, auths: 1, makes: 'object', ...both, slow: true },
  TPM2_SequenceComplete: { code: 0x13e, handles: 1, auths: 1, ...both, flushes: true },
  TPM2_Startup: { code: 0x144, handles: 0, auths: 0 },
  TPM2_Duplicate: { code: 0x14b, handles: 2, auths: 1, ...both },
  TPM2_PolicySecret: { code: 0x151, handles: 2, auths: 1, ...both },
  TPM2_Create: { code: 0x153, handles: 1, auths: 1, ...both, slow: true },
  TPM2_HMAC: { code: 0x155, handles: 1, auths: 1, ...both },
  TPM2_Import: { code: 0x156, handles: 1, auths: 1, ...both },
  TPM2_Load: { code: 0x157, handles: 1, auths: 1, makes: 'object', ...both },
  TPM2_HMAC_Start: { code: 0x15b, handles: 1, auths: 1, makes: 'object', sizedRequest: true },
  TPM2_SequenceUpdate: { code: 0x15c, handles: 1, auths: 1, sizedRequest: true },
  TPM2_Sign: { code: 0x15d, handles: 1, auths: 1, sizedRequest: true },
  TPM2_Unseal: { code: 0x15e, handles: 1, auths: 1, sizedResponse: true },
  // The handle is a parameter in Part 3; without sessions, which the command does not take, that is the same octets.
  TPM2_FlushContext: { code: 0x165, handles: 1, auths: 0, flushes: true },
  TPM2_LoadExternal: { code: 0x167, handles: 0, auths: 0, makes: 'object', ...both },
  TPM2_PolicyAuthValue: { code: 0x16b, handles: 1, auths: 0 },
  TPM2_PolicyCommandCode: { code: 0x16c, handles: 1, auths: 0 },
  TPM2_PolicyOR: { code: 0x171, handles: 1, auths: 0 },
  TPM2_ReadPublic: { code: 0x173, handles: 1, auths: 0, sizedResponse: true },
  TPM2_StartAuthSession: { code: 0x176, handles: 2, auths: 0, makes: 'session', ...both },
  TPM2_GetCapability: { code: 0x17a, handles: 0, auths: 0 },
  TPM2_PCR_Read: { code: 0x17e, handles: 0, auths: 0 },
  TPM2_PolicyPCR: { code: 0x17f, handles: 1, auths: 0, sizedRequest: true },
  TPM2_PolicyDuplicationSelect: { code: 0x188, handles: 1, auths: 0, sizedRequest: true },
  TPM2_PolicyGetDigest: { code: 0x189, handles: 1, auths: 0, sizedResponse: true },
  TPM2_PolicyPassword: { code: 0x18c, handles: 1, auths: 0 },
} as const satisfies Record<string, CommandShape>

/** A command by the name that Part 3 has for it. */
export type CommandName = keyof typeof COMMANDS

/** The shape of a command. */
export function shapeOf(command: CommandName): CommandShape {
  return COMMANDS[command]
}
