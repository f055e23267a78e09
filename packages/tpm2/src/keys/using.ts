import { flushContext } from '../commands/flush-context.ts'
import type { Authorization, Tpm } from '../tpm.ts'

/** Authorises one command. A policy session is good for one only, and makes room then; where that failed, `exclusively` does it. */
export async function using<T>(tpm: Tpm, auth: Authorization, work: (auth: Authorization) => Promise<T>): Promise<T> {
  const result = await work(auth)
  const session = 'kind' in auth ? auth : 'session' in auth ? auth.session : undefined
  if (session?.kind === 'policy') await flushContext(tpm, session)
  return result
}
