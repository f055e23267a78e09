import { openSession } from './open-session.ts'
import type { SessionFlags } from './types.ts'

/** What AWS tools read: octet for octet what the original writes, without a line feed. */
export async function credentialProcess(flags: SessionFlags): Promise<string> {
  const { request, identity } = await openSession(flags)
  try {
    const { accessKeyId, secretAccessKey, sessionToken, expirationText } = await request()
    return goJson({
      Version: 1,
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: sessionToken,
      Expiration: expirationText,
    })
  } finally {
    void identity.close() // a device that hangs is not waited for with what there is to say
  }
}

/** JSON as Go writes it: safe within HTML. */
export const goJson = (value: object): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, '0')}`)
