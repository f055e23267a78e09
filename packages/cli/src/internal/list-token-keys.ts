import { listPkcs11HmacKeys, type Pkcs11HmacKeyInfo } from '@hardbound/hmac-signer-pkcs11'
import {
  formatPkcs11Uri,
  listTokens,
  loadModule,
  matchesToken,
  type Pkcs11Uri,
  type TokenInfo,
} from '@hardbound/pkcs11'
import { print, printJson } from '../output.ts'
import { given } from './flags.ts'
import { allowedModulesOf, pinOf, pkcs11Failure, tokenInitOf } from './pkcs11-flags.ts'

/** What was given to `hardbound pkcs11 list`. */
export interface Pkcs11ListOptions {
  readonly uri?: string
  readonly pin?: string
  readonly keypad?: boolean
  readonly retryPin?: boolean
  readonly allowModule?: string[]
  readonly json?: boolean
}

/**
 * Lists tokens, and keys where there is a PIN.
 *
 * @throws {CliError}
 */
export async function listTokenKeys(options: Pkcs11ListOptions): Promise<void> {
  const flags = {
    ...options,
    uri: options.uri ?? 'pkcs11:',
    'retry-pin': options.retryPin,
    'allow-module': options.allowModule,
  }
  const init = tokenInitOf(flags)
  const login = options.pin !== undefined || options.keypad === true || init.uri.pinSource !== undefined
  try {
    const tokens = tokensOf(init.uri, options.allowModule)
    const keys = login ? await listPkcs11HmacKeys({ ...init, ...(await pinOf(flags)) }) : undefined
    if (options.json === true) return printJson({ tokens, ...given('keys', keys?.map(keyJson)) })
    print(asText(tokens, keys))
  } catch (cause) {
    return pkcs11Failure(cause)
  }
}

interface Token
  extends Pick<TokenInfo, 'token' | 'serial' | 'manufacturer' | 'model' | 'slotId' | 'slotDescription' | 'pin'> {
  readonly uri: string
}

function tokensOf(uri: Pkcs11Uri, allowModule: string[] | undefined): Token[] {
  const { modulePath, moduleName } = uri
  const module = loadModule({ modulePath, moduleName, allowedModules: allowedModulesOf(allowModule) })
  const where = { ...given('modulePath', modulePath), ...given('moduleName', moduleName) }
  try {
    return listTokens(module)
      .filter((it) => matchesToken(it, uri))
      .map(({ token, serial, manufacturer, model, slotId, slotDescription, pin }) => ({
        token,
        serial,
        manufacturer,
        model,
        slotId,
        slotDescription,
        pin,
        uri: formatPkcs11Uri({ token, serial, ...where }),
      }))
  } finally {
    module.close()
  }
}

const keyJson = ({ label, id, problem, uri }: Pkcs11HmacKeyInfo) => ({
  label,
  id,
  usable: problem === undefined,
  ...given('problem', problem),
  uri,
})

function asText(tokens: readonly Token[], keys: readonly Pkcs11HmacKeyInfo[] | undefined): string {
  if (tokens.length === 0) return 'no token is there'
  const head = ['TOKEN', 'SERIAL', 'MANUFACTURER', 'MODEL', 'PIN']
  const rows = tokens.map((it) => [it.token, it.serial, it.manufacturer, it.model, it.pin])
  const lines = table([head, ...rows])
  if (keys === undefined) return lines
  if (keys.length === 0) return `${lines}\n\nno secret key matches`
  const keyRows = keys.map(({ label, id, problem }) => [label, id, problem === undefined ? 'usable' : `no: ${problem}`])
  return `${lines}\n\n${table([['KEY', 'ID', 'FOR HMAC'], ...keyRows])}`
}

/** A label may hold anything, but not begin a line of its own. */
function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map((cell) => cell.replaceAll('\n', '\\n')))
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
