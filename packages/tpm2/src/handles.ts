/** TPM_RH: handles that every TPM has (Part 2 §7.4). */
export const HIERARCHIES = {
  owner: 0x40000001,
  null: 0x40000007,
  endorsement: 0x4000000b,
  platform: 0x4000000c,
} as const

/** Where primary keys come from. */
export type Hierarchy = keyof typeof HIERARCHIES

/** TPM_RS_PW: stands for the session where a password authorises. */
export const PASSWORD_SESSION = 0x40000009

/** TPM_HT (Part 2 §7.2): the first octet of a handle says what it is of. */
export const HANDLE_TYPE = {
  pcr: 0x00,
  nvIndex: 0x01,
  hmacSession: 0x02,
  policySession: 0x03,
  permanent: 0x40,
  transient: 0x80,
  persistent: 0x81,
} as const

/** TPM_HT of a handle. */
export function handleType(handle: number): number {
  return handle >>> 24
}

/** Whether a handle is of a session. */
export function isSessionHandle(handle: number): boolean {
  return handleType(handle) === HANDLE_TYPE.hmacSession || handleType(handle) === HANDLE_TYPE.policySession
}
