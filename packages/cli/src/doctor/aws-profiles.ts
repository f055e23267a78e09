import type { Stats } from 'node:fs'
import { join } from 'node:path'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'
import { type IniEntry, type IniSection, readIni } from './read-ini.ts'
import { shellWords } from './shell-words.ts'
import { readSmallFile } from './small-file.ts'

const { warning, problem } = findingsOf('aws-config')

/** One section that is a profile. One profile may have a section in each of the two files. */
export interface Profile {
  readonly name: string
  readonly kind: 'config' | 'credentials'
  readonly file: string
  /** For messages: file, line and profile. */
  readonly where: string
  readonly entries: ReadonlyMap<string, IniEntry>
}

/** One of the two files, as it is there. */
export interface AwsFile {
  readonly path: string
  readonly stats: Stats
}

/** What the two files say. */
export interface AwsProfiles {
  readonly files: readonly AwsFile[]
  readonly profiles: readonly Profile[]
  /** What is wrong with the files as such. */
  readonly findings: readonly Finding[]
}

/** Where an entry is, for messages. */
export const placeOf = ({ file, name }: Profile, { line }: IniEntry): string =>
  `${file}:${line}: profile ${JSON.stringify(name)}`

/** Reads `~/.aws/config` and `~/.aws/credentials`, or those that variables name. */
export async function loadProfiles({ env, home }: DoctorContext): Promise<AwsProfiles> {
  const files: AwsFile[] = []
  const profiles: Profile[] = []
  const findings: Finding[] = []
  for (const { kind, variable } of FILES) {
    const named = env[variable]
    const path = named === undefined || named === '' ? join(home, '.aws', kind) : named.replace(/^~(?=\/)/, home)
    const read = await readSmallFile(path)
    if ('wrong' in read) {
      const isFine = read.code === 'ENOENT' && (named === undefined || named === '')
      if (!isFine) findings.push(problem(`${path} ${read.wrong}`, named === undefined ? undefined : `see ${variable}`))
      continue
    }
    files.push({ path, stats: read.stats })
    const { sections, badLines, swallowed } = readIni(read.text)
    for (const line of badLines) {
      findings.push(
        problem(
          `${path}:${line}: is neither a section nor a key with a value: most tools refuse the whole file`,
          'mend or delete the line',
        ),
      )
    }
    for (const { key, line } of swallowed.filter((it) => WATCHED.has(it.key))) {
      findings.push(
        problem(
          `${path}:${line}: ${key} is indented, and so taken to be part of the line above`,
          'begin the line at its margin',
        ),
      )
    }
    findings.push(...twice(path, sections))
    for (const section of sections) {
      const name = profileNameOf(kind, section.name)
      if (name !== undefined) profiles.push(profileOf(name, kind, path, section))
      else if (section.entries.some(({ key }) => WATCHED.has(key))) {
        findings.push(
          warning(
            `${path}:${section.line}: is not the section of a profile, and is passed over`,
            'in this file it is [profile <name>]',
          ),
        )
      }
    }
  }
  return { files, profiles, findings }
}

const FILES = [
  { kind: 'config', variable: 'AWS_CONFIG_FILE' },
  { kind: 'credentials', variable: 'AWS_SHARED_CREDENTIALS_FILE' },
] as const
const WATCHED: ReadonlySet<string> = new Set(['credential_process', 'aws_access_key_id', 'aws_secret_access_key'])

function profileNameOf(kind: Profile['kind'], section: string): string | undefined {
  if (kind === 'credentials' || section === 'default') return section
  const [word, name, ...rest] = shellWords(section)?.words ?? []
  return word === 'profile' && rest.length === 0 ? name : undefined
}

function profileOf(name: string, kind: Profile['kind'], file: string, { line, entries }: IniSection): Profile {
  const where = `${file}:${line}: profile ${JSON.stringify(name)}`
  return { name, kind, file, where, entries: new Map(entries.map((it) => [it.key, it])) }
}

/** The AWS CLI and boto3 then read nothing of the file. */
function twice(path: string, sections: readonly IniSection[]): Finding[] {
  const seen = new Map<string, number>()
  const findings: Finding[] = []
  const note = (what: string, id: string, line: number): void => {
    const before = seen.get(id)
    if (before === undefined) seen.set(id, line)
    else
      findings.push(
        problem(
          `${path}:${line}: ${what} is there twice (line ${before}): the AWS CLI refuses the whole file`,
          'delete one of them',
        ),
      )
  }
  for (const section of sections) {
    note('this section', `[${section.name}]`, section.line)
    for (const { key, line } of section.entries) note('this key', `[${section.name}]${key}`, line)
  }
  return findings
}
