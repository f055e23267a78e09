import { createRequire } from 'node:module'
import { createPkcs11Faults, type Pkcs11Faults } from '@hardbound/testkit/hardware'
import type * as Native from 'pkcs11js'

/** AWS's documented example key, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
export const KEY = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')

const native = createRequire(import.meta.url)('pkcs11js') as typeof Native
export const faults: Pkcs11Faults<typeof native> = createPkcs11Faults(native)

/** What a promise is rejected with. */
export async function rejection<T extends Error>(work: Promise<unknown>): Promise<T> {
  return work.then(
    () => {
      throw new Error('it was expected to fail')
    },
    (error: unknown) => error as T,
  )
}
