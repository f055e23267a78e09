import { CliError } from '../cli-error.ts'

/** What the URI of `-pkcs-uri` says, in the original's own way: less strict than RFC 7512, and with a `slot` of its own. */
export interface PkcsUri {
  /** Index in the list of the slots that have a token. Not a `slot-id`. */
  readonly slot: number
  /** CKA_ID, which the URI has as hexadecimal text. */
  readonly id: Uint8Array
  /** CKA_LABEL */
  readonly object: string
  /** Of a module, or of a folder that `moduleName` is in. */
  readonly modulePath: string
  readonly moduleName: string | undefined
  readonly pinValue: string | undefined
  readonly pinSource: string | undefined
  /** What else it says of the token. The original does not look at it. */
  readonly token: {
    readonly token?: string | undefined
    readonly serial?: string | undefined
    readonly manufacturer?: string | undefined
    readonly model?: string | undefined
  }
}

/**
 * Reads the URI of `-pkcs-uri`.
 *
 * @throws {CliError} naming the attribute, never its value.
 */
export function parsePkcsUri(text: string): PkcsUri {
  if (!text.startsWith('pkcs11:')) throw refused('it does not begin with pkcs11:')
  const [path = '', ...query] = text.slice('pkcs11:'.length).split('?')
  const inPath = attributes(path, ';')
  const inQuery = attributes(query.join('?'), '&')

  const need = (where: ReadonlyMap<string, string>, name: string): string => {
    const value = where.get(name)
    if (value === undefined) throw refused(`it has no ${name}`)
    return value
  }
  const modulePath = need(inQuery, 'module-path')
  if (!modulePath.startsWith('/')) throw refused('module-path is not absolute')
  const [pinValue, pinSource] = [inQuery.get('pin-value'), inQuery.get('pin-source')]
  if ((pinValue === undefined) === (pinSource === undefined)) throw refused('it must have pin-source or pin-value')
  const slot = need(inPath, 'slot')
  if (!/^\+?\d{1,9}$/.test(slot)) throw refused('slot is not the index of a slot')
  const id = need(inPath, 'id')
  if (!/^(?:[\da-f]{2})+$/i.test(id)) throw refused('id is not hexadecimal text, such as 0100')
  return {
    slot: Number(slot),
    id: Buffer.from(id, 'hex'),
    object: need(inPath, 'object'),
    modulePath,
    moduleName: inQuery.get('module-name'),
    pinValue,
    pinSource,
    token: {
      token: inPath.get('token'),
      serial: inPath.get('serial'),
      manufacturer: inPath.get('manufacturer'),
      model: inPath.get('model'),
    },
  }
}

function attributes(text: string, separator: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const part of text === '' ? [] : text.split(separator)) {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(part) ?? []
    if (name === undefined || value === undefined) throw refused('it has an attribute without a value')
    if (found.has(name)) throw refused('it has an attribute twice')
    found.set(name, unescaped(value))
  }
  return found
}

function unescaped(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw refused('it has a "%" that is no octet of UTF-8')
  }
}

const refused = (why: string): CliError => new CliError(`-pkcs-uri: ${why}`)
