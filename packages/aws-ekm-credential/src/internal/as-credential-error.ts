import { describeFailure } from '@hardbound/ekm-tls/client'
import { EkmCredentialError } from '../errors.ts'

/** One error for whatever went wrong; the message adds what to look at, the cause stays attached. */
export function asCredentialError(
  cause: unknown,
  { broker, roleArn }: { broker: string; roleArn: string | undefined },
): EkmCredentialError {
  if (cause instanceof EkmCredentialError) return cause
  const { code, why } = describeFailure(cause)
  const wanted = roleArn ?? 'the role of this workload'
  return new EkmCredentialError(code, `no credentials for ${wanted} from ${broker}${why}`, { cause })
}
