import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'
import type { KnownLine } from './known-lines.ts'
import { modeOf } from './small-file.ts'

const { warning, problem } = findingsOf('aws-config')

/** Keys that are not encrypted as a rule: others must not read them. A TPM's key file is for that TPM alone. */
const PRIVATE: Readonly<Record<string, readonly string[]>> = {
  'hardbound aws ekm': ['key'],
  'hardbound aws roles-anywhere': ['private-key', 'p12'],
  aws_signing_helper: ['private-key'],
  'aws-channel-jwt-process-credential': ['key'],
}

interface NamedFile {
  readonly flag: string
  readonly path: string
  /** `secret`: our commands refuse it when others can read it. */
  readonly kind: 'plain' | 'private' | 'secret'
}

/** Files that the flags of a line name: are they there, and do the private ones stay private? */
export async function fileFindings(known: KnownLine, place: string, { env }: DoctorContext): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const [flag, value] of valuesOf(known)) {
    const unattended = sourceFinding(flag, value, known, env)
    if (unattended !== undefined) findings.push(warning(`${place}: ${unattended}`, 'use file:/path (mode 0600)'))
    const file = namedFile(flag, value, known)
    if (file !== undefined) findings.push(...(await lookAt(file, place)))
  }
  return findings
}

const valuesOf = ({ flags }: KnownLine): [string, string][] =>
  Object.entries(flags).flatMap(([flag, value]) =>
    [value].flat().flatMap((it): [string, string][] => (typeof it === 'string' ? [[flag, it]] : [])),
  )

/** Flags that take `prompt`, `stdin`, `file:/path`, `fd:N` or `env:NAME`. */
const SOURCE = /^(?:pin|.*-auth|.*-password)$/

function sourceFinding(
  flag: string,
  value: string,
  { isDropIn }: KnownLine,
  env: DoctorContext['env'],
): string | undefined {
  if (isDropIn || !SOURCE.test(flag)) return undefined
  const [, variable] = /(?:^|:)env:(\w+)$/.exec(value) ?? []
  if (variable !== undefined && env[variable] === undefined) return `--${flag} names a variable that is not set here`
  if (/^(?:prompt|stdin)$/.test(value)) return `--${flag} asks somebody: nobody may be there when a tool starts it`
  return undefined
}

/** The first `file:` of a source or of `token:file:/path`, or the plain path of a flag that takes one. */
function namedFile(flag: string, value: string, { name, isDropIn, files }: KnownLine): NamedFile | undefined {
  const [, pinFile] = /[?&]pin-source=(?:file:)?([^&]+)/.exec(value) ?? []
  if (value.startsWith('pkcs11:')) {
    return pinFile === undefined ? undefined : { flag, path: decoded(pinFile), kind: isDropIn ? 'private' : 'secret' }
  }
  const [, source] = /(?:^|:)file:(?:\/\/)?(.+)$/.exec(value) ?? []
  if (!isDropIn && SOURCE.test(flag) && source !== undefined) return { flag, path: source, kind: 'secret' }
  if (flag === 'selector' || flag === 'cert-selector') {
    return source === undefined ? undefined : { flag, path: source, kind: 'plain' }
  }
  if (!files.includes(flag) || /^(?:stdin$|fd:|env:|handle:|system\b)/.test(value)) return undefined
  const path = value.replace(/^(?:folder|p12):/, '')
  const isPrivate = PRIVATE[name]?.includes(flag) === true || value.startsWith('p12:')
  return { flag, path, kind: isPrivate ? 'private' : 'plain' }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

async function lookAt({ flag, path, kind }: NamedFile, place: string): Promise<Finding[]> {
  const findings: Finding[] = []
  if (!isAbsolute(path)) {
    const why = path.startsWith('~')
      ? 'begins with ~, which most tools pass on as it is'
      : 'begins at the folder that a tool is started in'
    findings.push(warning(`${place}: the path of --${flag} ${why}`, 'write the whole path'))
  }
  const stats = await stat(path).catch((error: unknown) =>
    error instanceof Error && 'code' in error ? String(error.code) : 'unknown',
  )
  if (typeof stats === 'string') {
    const wrong = stats === 'ENOENT' ? 'does not exist' : `can't be looked at (${stats})`
    return [...findings, problem(`${place}: the file of --${flag} ${wrong}`)]
  }
  if (kind === 'plain' || !stats.isFile() || (stats.mode & 0o077) === 0) return findings
  const text = `${place}: the file of --${flag} is open to others (mode ${modeOf(stats)})`
  return [
    ...findings,
    kind === 'secret' ? problem(`${text}, and is refused`, 'chmod 600 it') : warning(text, 'chmod 600 it'),
  ]
}
