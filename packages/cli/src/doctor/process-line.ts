import { constants, type Stats } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import { basename, delimiter, isAbsolute, join } from 'node:path'
import { type Profile, placeOf } from './aws-profiles.ts'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'
import { fileFindings } from './flag-files.ts'
import { type KnownLine, readKnownLine } from './known-lines.ts'
import { type ShellWords, shellWords } from './shell-words.ts'
import { modeOf } from './small-file.ts'

const { ok, warning, problem } = findingsOf('aws-config')

/** What is wrong with the `credential_process` of a profile, if it has one. Nothing of the line but known names is shown. */
export async function processFindings(profile: Profile, context: DoctorContext): Promise<Finding[]> {
  const entry = profile.entries.get('credential_process')
  if (entry === undefined) return []
  const place = `${placeOf(profile, entry)}: credential_process`
  const line = shellWords(entry.value)
  if (line === undefined)
    return [problem(`${place}: a quotation has no end`, 'close it, or write \\" for a quotation mark')]
  if (line.words.length === 0) return [problem(`${place} is empty`)]
  const known = await readKnownLine(line.words)
  const findings = [
    ...(await programFindings(line.words[0] ?? '', known, place, context)),
    ...quotingFindings(line, place),
    ...secretFindings(line.words, known, place),
    ...(known === undefined ? [] : await fileFindings(known, place, context)),
  ]
  if (known?.wrong !== undefined) findings.push(problem(`${place}: ${known.wrong}`, `see ${known.name} --help`))
  const isFine = findings.every(({ status }) => status === 'ok')
  if (isFine)
    findings.unshift(ok(`${place}: ${known === undefined ? 'a program of others is there' : `${known.name} is there`}`))
  return findings
}

async function programFindings(
  program: string,
  known: KnownLine | undefined,
  place: string,
  { env }: DoctorContext,
): Promise<Finding[]> {
  const name = known === undefined ? 'its program' : (known.name.split(' ')[0] ?? '')
  const path = await findProgram(program, env.PATH ?? '')
  if (path === undefined) {
    const home = program.startsWith('~') ? ': most tools do not know what ~ is' : ''
    const cure = `write its whole path${known === undefined ? '' : `, as of: command -v ${name}`}`
    return [problem(`${place}: ${name} is not there, or may not be executed${home}`, cure)]
  }
  const findings: Finding[] = []
  if (program.includes('/') && !isAbsolute(program)) {
    findings.push(
      warning(`${place}: the path of ${name} begins at the folder that a tool is started in`, 'write its whole path'),
    )
  }
  const real = await realpath(path)
  const stats = await stat(real)
  if ((stats.mode & 0o022) !== 0) {
    findings.push(problem(`${place}: others may change ${name} (mode ${modeOf(stats)})`, 'chmod go-w it'))
  }
  // Packages link their commands to files like ours.
  if (known?.isDropIn === true && !basename(real).endsWith('.cjs')) {
    findings.push(
      ok(
        `${place}: it runs the original ${known.name}; Hardbound has one that takes the same flags`,
        'npm install --global @hardbound/cli, and replace the path of the program',
      ),
    )
  }
  return findings
}

async function findProgram(program: string, path: string): Promise<string | undefined> {
  const candidates = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder, program))
  for (const candidate of candidates) {
    const stats: Stats | undefined = await stat(candidate).catch(() => undefined)
    if (stats?.isFile() !== true) continue
    const runs = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (runs) return candidate
  }
  return undefined
}

function quotingFindings({ meansMoreToShell }: ShellWords, place: string): Finding[] {
  if (!meansMoreToShell) return []
  return [
    warning(
      `${place}: it has characters that a shell acts on; the AWS CLI passes them on as they are, the SDKs for JavaScript and Go run a shell`,
      'put such words between double quotes, and use no variables',
    ),
  ]
}

function secretFindings(words: readonly string[], known: KnownLine | undefined, place: string): Finding[] {
  const visible = 'every user of this machine can read it there, and tools log it'
  const findings: Finding[] = []
  for (const [name, instead] of Object.entries(known?.secrets ?? {})) {
    const value = known?.flags[name]
    if (value !== undefined && value !== '')
      findings.push(warning(`${place}: --${name} is a password on the line: ${visible}`, `use ${instead}`))
  }
  if (words.some((word) => /pin-value=/i.test(word))) {
    findings.push(
      warning(
        `${place}: pin-value is a PIN on the line: ${visible}`,
        'use pin-source=file:/path (mode 0600) in the URI',
      ),
    )
  }
  if (words.some((word) => /^(?:--?[\w-]+=)?https?:\/\/[^/\s:]*:[^/\s]*@/.test(word))) {
    findings.push(
      warning(
        `${place}: a URL has a password in it: ${visible}`,
        'use --proxy-auth file:/path, where the command has it',
      ),
    )
  }
  return findings
}
