import type { PolicyInput } from '../types.ts'

/** One condition of one rule. Deciding and explaining use the same ones. */
export interface Condition {
  /** For people: `claim.image_digest`, `peer.dns`, `when` … */
  readonly name: string
  /** For audit, where this is what a request failed on. */
  readonly reason: string
  holds(input: PolicyInput): boolean
  /** What was asked and what was there. Names no environment and no arguments. */
  detail(input: PolicyInput): string
}

/** Quotes a value of the token for people: bounded, without control characters. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return (text.length > 200 ? `${text.slice(0, 200)}…` : text).replace(/[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, '?')
}
