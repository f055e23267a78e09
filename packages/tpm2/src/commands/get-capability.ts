import { isSessionHandle } from '../handles.ts'
import { concat, EMPTY, u32 } from '../internal/octets.ts'
import { Reader } from '../internal/reader.ts'
import type { CallOptions, Tpm } from '../tpm.ts'

/** TPM_CAP (Part 2 §6.12) of the lists that can be read. */
const CAPABILITIES = { handles: 0x00000001, commands: 0x00000002, tpmProperties: 0x00000006 } as const

/** What to read: handles from one on, TPMA_CC attributes of commands, or TPM_PT properties. */
export interface GetCapabilityInit {
  readonly capability: keyof typeof CAPABILITIES
  /** First handle, command code or property. */
  readonly from: number
  /** Stops after so many. Default: 1024. */
  readonly max?: number
}

/** One entry of a list: `value` is set for properties only. */
export interface Capability {
  readonly id: number
  readonly value?: number
}

/** TPM_PT (Part 2 §6.13) that callers have asked for. */
const PROPERTIES = {
  manufacturer: 0x105,
  firmwareVersion1: 0x10b,
  inputBuffer: 0x10d,
  lockoutCounter: 0x20e,
  maxAuthFail: 0x20f,
  lockoutInterval: 0x210,
  lockoutRecovery: 0x211,
  permanent: 0x200,
} as const

/** A property of the TPM, by name. */
export type TpmProperty = keyof typeof PROPERTIES

/**
 * Reads a list of what the TPM has, as many commands as that takes. Handles of another type than the first are left out.
 *
 * @throws {Tpm2Error} as {@link Tpm.execute}; `ERR_TPM_RESPONSE` on lists that go backwards or promise more and bring none.
 * @see TPM 2.0 Part 3 §30.2, TPM2_GetCapability
 */
export async function getCapability(tpm: Tpm, init: GetCapabilityInit, options?: CallOptions): Promise<Capability[]> {
  const max = init.max ?? 1024
  const found: Capability[] = []
  for (let from = init.from; ; ) {
    const page = await readPage(tpm, { ...init, from, max: max - found.length }, options)
    found.push(...page.list)
    const last = page.list.at(-1)
    if (!page.more || found.length >= max || last === undefined) return found
    from = position(init.capability, from, last.id) + 1
  }
}

/**
 * Reads one property.
 *
 * @throws {Tpm2Error} as {@link getCapability}; `ERR_TPM_RESPONSE` when the TPM does not have it.
 */
export async function tpmProperty(tpm: Tpm, property: TpmProperty, options?: CallOptions): Promise<number> {
  const from = PROPERTIES[property]
  const [first] = await getCapability(tpm, { capability: 'tpmProperties', from, max: 1 }, options)
  if (first?.id !== from || first.value === undefined) {
    throw new Reader(EMPTY, 'TPM2_GetCapability').malformed(`no property "${property}"`)
  }
  return first.value
}

async function readPage(
  tpm: Tpm,
  { capability, from, max }: Required<GetCapabilityInit>,
  options?: CallOptions,
): Promise<{ more: boolean; list: Capability[] }> {
  const id = CAPABILITIES[capability]
  const { parameters } = await tpm.execute(
    { command: 'TPM2_GetCapability', handles: [], parameters: concat(u32(id), u32(from), u32(max)) },
    options,
  )
  const reader = new Reader(parameters, 'TPM2_GetCapability')
  const more = reader.u8()
  if (more > 1) throw reader.malformed('moreData is neither yes nor no')
  if (reader.u32() !== id) throw reader.malformed('another capability than asked for')
  const count = reader.count(Math.min(max, 1024))
  const list = Array.from({ length: count }, () =>
    capability === 'tpmProperties' ? { id: reader.u32(), value: reader.u32() } : { id: reader.u32() },
  )
  reader.end()
  // Pages must go forwards, or reading them would never end.
  const positions = [from - 1, ...list.map(({ id }) => position(capability, from, id))]
  if (list.some((_, at) => Number(positions[at + 1]) <= Number(positions[at]))) {
    throw reader.malformed('the list is not in order')
  }
  if (more === 1 && count === 0) throw reader.malformed('an empty list, and more to come')
  return { more: more === 1, list }
}

/**
 * Where an entry stands in its list. TPMA_CC has more in it than the command's number: its index, and whether it is a
 * vendor's (Part 2 §8.9). Sessions are in the order of their numbers, HMAC and policy sessions mixed.
 */
function position(capability: GetCapabilityInit['capability'], from: number, id: number): number {
  if (capability === 'commands') return id & 0x2000ffff
  return capability === 'handles' && isSessionHandle(id) ? (from >>> 24) * 2 ** 24 + (id & 0xffffff) : id
}
