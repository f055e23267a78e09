import { Tpm2Error, type Tpm2ErrorCode } from '../errors.ts'

/** TPM_RC without a place (format 0, Part 2 §6.6.3): errors from 0x100, warnings from 0x900. */
const PLAIN: Readonly<Record<number, string>> = {
  256: 'INITIALIZE',
  257: 'FAILURE',
  259: 'SEQUENCE',
  267: 'PRIVATE',
  281: 'HMAC',
  288: 'DISABLED',
  289: 'EXCLUSIVE',
  292: 'AUTH_TYPE',
  293: 'AUTH_MISSING',
  294: 'POLICY',
  295: 'PCR',
  296: 'PCR_CHANGED',
  301: 'UPGRADE',
  302: 'TOO_MANY_CONTEXTS',
  303: 'AUTH_UNAVAILABLE',
  304: 'REBOOT',
  305: 'UNBALANCED',
  322: 'COMMAND_SIZE',
  323: 'COMMAND_CODE',
  324: 'AUTHSIZE',
  325: 'AUTH_CONTEXT',
  326: 'NV_RANGE',
  327: 'NV_SIZE',
  328: 'NV_LOCKED',
  329: 'NV_AUTHORIZATION',
  330: 'NV_UNINITIALIZED',
  331: 'NV_SPACE',
  332: 'NV_DEFINED',
  336: 'BAD_CONTEXT',
  337: 'CPHASH',
  338: 'PARENT',
  339: 'NEEDS_TEST',
  340: 'NO_RESULT',
  341: 'SENSITIVE',
  2305: 'CONTEXT_GAP',
  2306: 'OBJECT_MEMORY',
  2307: 'SESSION_MEMORY',
  2308: 'MEMORY',
  2309: 'SESSION_HANDLES',
  2310: 'OBJECT_HANDLES',
  2311: 'LOCALITY',
  2312: 'YIELDED',
  2313: 'CANCELED',
  2314: 'TESTING',
  2320: 'REFERENCE_H0',
  2321: 'REFERENCE_H1',
  2322: 'REFERENCE_H2',
  2328: 'REFERENCE_S0',
  2329: 'REFERENCE_S1',
  2330: 'REFERENCE_S2',
  2336: 'NV_RATE',
  2337: 'LOCKOUT',
  2338: 'RETRY',
  2339: 'NV_UNAVAILABLE',
}

/** TPM_RC that say of which handle, parameter or session they speak (format 1), from 0x080. */
const PLACED: Readonly<Record<number, string>> = {
  1: 'ASYMMETRIC',
  2: 'ATTRIBUTES',
  3: 'HASH',
  4: 'VALUE',
  5: 'HIERARCHY',
  7: 'KEY_SIZE',
  8: 'MGF',
  9: 'MODE',
  10: 'TYPE',
  11: 'HANDLE',
  12: 'KDF',
  13: 'RANGE',
  14: 'AUTH_FAIL',
  15: 'NONCE',
  16: 'PP',
  18: 'SCHEME',
  21: 'SIZE',
  22: 'SYMMETRIC',
  23: 'TAG',
  24: 'SELECTOR',
  26: 'INSUFFICIENT',
  27: 'SIGNATURE',
  28: 'KEY',
  29: 'POLICY_FAIL',
  31: 'INTEGRITY',
  32: 'TICKET',
  33: 'RESERVED_BITS',
  34: 'BAD_AUTH',
  35: 'EXPIRED',
  36: 'POLICY_CC',
  37: 'BINDING',
  38: 'CURVE',
  39: 'ECC_POINT',
}

const CODES: Readonly<Record<string, Tpm2ErrorCode>> = {
  AUTH_FAIL: 'ERR_TPM_AUTH_FAIL',
  BAD_AUTH: 'ERR_TPM_AUTH_FAIL',
  LOCKOUT: 'ERR_TPM_LOCKOUT',
  POLICY_FAIL: 'ERR_TPM_POLICY_FAIL',
  POLICY_CC: 'ERR_TPM_POLICY_FAIL',
  PCR_CHANGED: 'ERR_TPM_POLICY_FAIL',
  OBJECT_MEMORY: 'ERR_TPM_SLOTS',
  OBJECT_HANDLES: 'ERR_TPM_SLOTS',
  SESSION_MEMORY: 'ERR_TPM_SLOTS',
  SESSION_HANDLES: 'ERR_TPM_SLOTS',
  RETRY: 'ERR_TPM_BUSY',
  YIELDED: 'ERR_TPM_BUSY',
  TESTING: 'ERR_TPM_BUSY',
  NV_RATE: 'ERR_TPM_BUSY',
}

/** TPM_RC_INITIALIZE: nobody has sent TPM2_Startup. */
export const RC_INITIALIZE = 0x100

/** A response code as an error: `TPM2_Load: TPM_RC_INTEGRITY, parameter 1 (0x1df)`. */
export function errorOf(command: string, rc: number): Tpm2Error {
  const { name, place } = describe(rc)
  const code = (name === undefined ? undefined : CODES[name]) ?? 'ERR_TPM_RC'
  const what = name === undefined ? 'TPM_RC' : `TPM_RC_${name}`
  return new Tpm2Error(code, `${command}: ${what}${place} (0x${rc.toString(16).padStart(3, '0')})`, { rc })
}

function describe(rc: number): { name: string | undefined; place: string } {
  // A resource manager puts its own layer into the upper half (TSS 2.0 Overview §3).
  const layer = rc >>> 16
  const code = rc & 0xffff
  const by = layer === 0 ? '' : ' from the resource manager'
  if ((code & 0x80) === 0) return { name: PLAIN[code], place: by }
  const number = (code >> 8) & 0xf
  const kind = (code & 0x40) !== 0 ? 'parameter' : (number & 8) !== 0 ? 'session' : 'handle'
  const index = kind === 'parameter' ? number : number & 7
  return { name: PLACED[code & 0x3f], place: index === 0 ? by : `, ${kind} ${index}${by}` }
}
