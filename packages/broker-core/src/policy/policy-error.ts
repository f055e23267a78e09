/** Why a policy was not loaded. */
export type PolicyErrorCode =
  | 'ERR_POLICY_SYNTAX' // not the YAML or JSON we take: an anchor, a key twice, a hexadecimal number, over 1 MiB …
  | 'ERR_POLICY_INVALID' // a key or a value that the policy can't have

/** Messages name the key, or the line and column; never a value. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
  readonly code: PolicyErrorCode
  /** Where: `rules[0].workload.image_digests[0]`. Empty for the document as a whole. */
  readonly path: string

  constructor(code: PolicyErrorCode, path: string, problem: string, options?: ErrorOptions & { filename?: string }) {
    super([options?.filename, path, problem].filter((it) => it !== undefined && it !== '').join(': '), options)
    this.code = code
    this.path = path
  }
}

/** Writes a path as a person would: `rules[0].grant.aws`. */
export function formatPath(segments: readonly PropertyKey[]): string {
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`
    return path === '' ? String(segment) : `${path}.${String(segment)}`
  }, '')
}
