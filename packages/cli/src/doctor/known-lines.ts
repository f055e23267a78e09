import { basename } from 'node:path'
import { CliError } from '../cli-error.ts'
import { type GoFlags, parseGoFlags } from '../go-credentials/go-flags.ts'
import { flag, help, parseFlags } from '../internal/flags.ts'
import type { Flags } from '../sources/source.ts'

/** The words of a `credential_process`, understood. */
export interface KnownLine {
  /** `hardbound aws ekm`, or the name of a drop-in command. */
  readonly name: string
  readonly isDropIn: boolean
  readonly flags: Flags
  /** What is wrong with the flags. It holds no value. */
  readonly wrong: string | undefined
  /** Flags whose values may name files. */
  readonly files: readonly string[]
  /** Flags whose values are secrets, and what to use instead. */
  readonly secrets: Readonly<Record<string, string>>
}

/** Commands of ours, and those that ours take the place of; `undefined` for all others. */
export async function readKnownLine(words: readonly string[]): Promise<KnownLine | undefined> {
  const [program = '', ...args] = words
  const name = basename(program).replace(/\.cjs$/, '')
  if (name === 'hardbound') return readOurs(args)
  const dropIn = Object.hasOwn(DROP_INS, name) ? DROP_INS[name] : undefined
  return dropIn === undefined ? undefined : readDropIn(name, dropIn, args)
}

async function readOurs([group, command = '', ...args]: readonly string[]): Promise<KnownLine | undefined> {
  const { isSourceName, SOURCES } = await import('../sources/index.ts')
  const source = group === 'azure' ? `azure-${command}` : command
  const name = `hardbound ${group} ${command}`
  const isOurs = (group === 'aws' || group === 'azure') && isSourceName(source) && SOURCES[source].cloud === group
  if (!isOurs) {
    const wrong = 'it is none of the commands that print credentials: hardbound aws …'
    return { name: 'hardbound', isDropIn: false, flags: {}, wrong, files: [], secrets: {} }
  }
  const { options, files } = SOURCES[source]
  const known = { name, isDropIn: false, files, secrets: {} }
  if (group === 'azure')
    return { ...known, flags: {}, wrong: 'it prints a token of Azure, which AWS tools do not understand' }
  try {
    const { help: _, ...flags } = parseFlags(args, { ...options, cache: flag, help })
    return { ...known, flags, wrong: undefined }
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    return { ...known, flags: {}, wrong: error.message }
  }
}

interface DropIn {
  /** The word that must come first. */
  readonly command?: string
  readonly options: () => Promise<GoFlags>
  readonly files: readonly string[]
  readonly secrets: Readonly<Record<string, string>>
}

const DROP_INS: Readonly<Record<string, DropIn>> = {
  aws_signing_helper: {
    command: 'credential-process',
    options: helperFlags,
    files: ['certificate', 'private-key', 'intermediates'],
    secrets: {
      'pkcs8-password': 'hardbound aws roles-anywhere --key-password file:/path',
      'tpm-key-password': 'hardbound aws roles-anywhere --tpm-key-auth file:/path',
    },
  },
  'aws-tpm-process-credential': {
    options: async () => (await import('../go-credentials/tpm-credential.ts')).TPM_FLAGS,
    files: ['credential-file'],
    secrets: {
      keyPass: 'the variable TPM_KEY_AUTH, or hardbound aws tpm --key-auth file:/path',
      parentPass: 'the variable TPM_PARENT_AUTH, or hardbound aws tpm --parent-auth file:/path',
    },
  },
  'aws-pkcs-process-credential': {
    options: async () => (await import('../go-credentials/pkcs-credential.ts')).PKCS_FLAGS,
    files: [],
    secrets: {},
  },
  'aws-channel-jwt-process-credential': {
    options: async () => (await import('../go-credentials/channel-jwt-credential.ts')).CHANNEL_JWT_FLAGS,
    files: ['trust-ca', 'cert', 'key'],
    secrets: {},
  },
}

async function helperFlags(): Promise<GoFlags> {
  const { FLAGS, FLAGS_OF } = await import('../signing-helper/flags.ts')
  const types = { string: 'string', bool: 'bool', int: 'int' } as const
  const names = FLAGS_OF['credential-process']
  return Object.fromEntries(names.map((name) => [name, { type: types[FLAGS[name].kind], usage: '' }]))
}

async function readDropIn(name: string, dropIn: DropIn, args: readonly string[]): Promise<KnownLine> {
  const { command, options, files, secrets } = dropIn
  const known = { name, isDropIn: true, flags: {}, files, secrets }
  if (command !== undefined && args[0] !== command) {
    return { ...known, wrong: `its first word is not ${command}, the only command that prints credentials` }
  }
  const read = parseGoFlags(command === undefined ? args : args.slice(1), await options())
  if (read.kind === 'wrong') return { ...known, wrong: read.why }
  if (read.kind === 'help') return { ...known, wrong: 'it prints its help, and no credentials' }
  const texts = Object.entries(read.values).flatMap(([flag, value]) =>
    read.given.has(flag) && typeof value === 'string' ? [[flag, value] as const] : [],
  )
  return { ...known, flags: Object.fromEntries(texts), wrong: undefined }
}
