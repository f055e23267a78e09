import { DEFAULT_MODULE_FOLDERS, listTokens, loadModule, Pkcs11Error, type TokenInfo } from '@hardbound/pkcs11'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warning, problem, absent } = findingsOf('pkcs11')
const MAX_TOKENS = 20

/** Loads one module and lists its tokens. Logs in nowhere. */
export function probeModule({ path }: { readonly path?: string }): Finding[] {
  const name = path ?? 'p11-kit'
  try {
    const allowedModules = path === undefined ? undefined : [...DEFAULT_MODULE_FOLDERS, path]
    const module = loadModule({ modulePath: path, allowedModules })
    try {
      const tokens = listTokens(module)
      if (tokens.length === 0) return [ok(`${name}: loaded; no token is there`)]
      return tokens.slice(0, MAX_TOKENS).map((token) => tokenFinding(name, token))
    } finally {
      module.close()
    }
  } catch (error) {
    if (!(error instanceof Pkcs11Error)) throw error
    const isAbsent = path === undefined && error.message.startsWith('no module')
    if (!isAbsent) return [problem(`${name}: ${error.message}`)]
    return [
      absent(
        'p11-kit is not installed: modules are found by module-path only',
        'Debian: apt-get install p11-kit-modules',
      ),
    ]
  }
}

function tokenFinding(module: string, { token, serial, pin }: TokenInfo): Finding {
  const name = `${module}: token ${JSON.stringify(token)}${serial === '' ? '' : `, serial ${serial}`}`
  switch (pin) {
    case 'locked':
      return problem(`${name}, takes no PIN any more`, "have its security officer set the user's PIN anew")
    case 'final-try':
      return problem(
        `${name}, is at the last try: one more wrong PIN locks it`,
        'log in once with its own tool and the right PIN',
      )
    case 'count-low':
      return warning(
        `${name}, was given a wrong PIN: commands do not try theirs until somebody got in`,
        'log in once with its own tool, or give the command --retry-pin',
      )
    case 'not-set':
      return warning(`${name}, has no PIN for users yet`, "have its security officer set the user's PIN")
    default:
      return ok(name)
  }
}
