import { signTestString } from '@hardbound/roles-anywhere'
import { note } from '../output.ts'
import { endAnyway } from './end-anyway.ts'
import { given, oneOf } from './flags.ts'
import { type IdentityFlags, identityOf } from './identity-flags.ts'
import { rolesAnywhereFailure } from './roles-anywhere-flags.ts'

/**
 * Signs the test message, and writes the signature to stdout.
 *
 * @param options As commander has them: `privateKey` for `--private-key`.
 * @throws {CliError}
 */
export async function signTest(options: Readonly<Record<string, unknown>>): Promise<void> {
  const { format, digest, ...identity } = options as Readonly<Record<string, string>>
  const asked = {
    ...given('format', oneOf('--format', format, ['json', 'text', 'bin'])),
    ...given('digest', oneOf('--digest', digest?.toLowerCase(), ['sha256', 'sha384', 'sha512'])),
  }
  try {
    const open = await identityOf(kebabCased(identity), ({ message }) => note(`warning: ${message}`))
    const source = await open()
    try {
      const key = await source.current()
      process.stdout.write(await signTestString({ ...asked, key, certificate: key.certificate }))
    } finally {
      endAnyway()
      void source.close().catch(() => {}) // a device that hangs is not waited for with what there is to say
    }
  } catch (cause) {
    return rolesAnywhereFailure(cause)
  }
}

const kebabCased = (options: object): IdentityFlags =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.replace(/[A-Z]/g, (it) => `-${it.toLowerCase()}`), value]),
  )
