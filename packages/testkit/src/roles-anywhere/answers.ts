import { merge } from '../internal/merge.ts'
import type { SessionAnswer } from './test-roles-anywhere.ts'

type Answer = (body: SessionAnswer) => unknown

/** Credentials with other members; `undefined` leaves one out. */
export const withCredentials =
  (change: Record<string, unknown>): Answer =>
  ({ credentialSet: [first, ...rest], ...body }) => ({
    ...body,
    credentialSet: [{ ...first, credentials: merge(first?.credentials ?? {}, change) }, ...rest],
  })

/** As many credential sets, each the same: 0, or 2. */
export const withCredentialSets =
  (count: number): Answer =>
  ({ credentialSet, ...body }) => ({ ...body, credentialSet: Array.from({ length: count }, () => credentialSet[0]) })
