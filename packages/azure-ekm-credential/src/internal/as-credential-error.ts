import { describeFailure } from '@hardbound/ekm-tls/client'
import { EkmCredentialError } from '../errors.ts'

/** One error for whatever went wrong; the message adds what to look at, the cause stays attached. */
export function asCredentialError(
  cause: unknown,
  { broker, scope }: { broker: string; scope: string },
): EkmCredentialError {
  if (cause instanceof EkmCredentialError) return cause
  const { code, why, refusal } = describeFailure(cause)
  return new EkmCredentialError(code, `no token for ${scope} from ${broker}${why}`, { cause, refusal })
}
