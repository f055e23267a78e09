import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import type { Profile } from './aws-profiles.ts'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'
import { modeOf, readSmallFile } from './small-file.ts'

const { warning, problem } = findingsOf('aws-config')
/** Of ECS and EKS: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html */
const LINK_LOCAL = new Set(['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]'])

/** Do the variables that lead to a profile or an endpoint make sense, each and together? No value is shown. */
export async function environmentFindings({ env }: DoctorContext, profiles: readonly Profile[]): Promise<Finding[]> {
  const isSet = (name: string): boolean => (env[name] ?? '') !== ''
  const findings: Finding[] = []
  if (isSet('AWS_PROFILE') && !profiles.some(({ name }) => name === env.AWS_PROFILE)) {
    findings.push(
      problem('AWS_PROFILE names a profile that neither file has', 'unset AWS_PROFILE, or write that profile'),
    )
  }
  const endpoint = 'AWS_EC2_METADATA_SERVICE_ENDPOINT'
  if (isSet(endpoint)) {
    if (urlOf(env[endpoint]) === undefined) findings.push(problem(`${endpoint} is no URL`, 'as of: hardbound serve'))
    if (env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true') {
      findings.push(
        problem(`AWS_EC2_METADATA_DISABLED is true: ${endpoint} is never asked`, 'unset AWS_EC2_METADATA_DISABLED'),
      )
    }
  }
  return [...findings, ...containerFindings(env, isSet), ...(await tokenFileFindings(env))]
}

const FULL = 'AWS_CONTAINER_CREDENTIALS_FULL_URI'
const RELATIVE = 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'
const TOKEN = 'AWS_CONTAINER_AUTHORIZATION_TOKEN'
const TOKEN_FILE = 'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'

function containerFindings(env: DoctorContext['env'], isSet: (name: string) => boolean): Finding[] {
  const findings: Finding[] = []
  if (isSet(FULL)) {
    const url = urlOf(env[FULL])
    if (url === undefined) findings.push(problem(`${FULL} is no URL`, 'as of: hardbound serve'))
    else if (url.protocol === 'http:' && !isNear(url.hostname)) {
      findings.push(
        problem(`${FULL} is http:// to another machine: tools refuse it`, 'name a loopback address, or https://'),
      )
    }
    if (isSet(RELATIVE))
      findings.push(problem(`${RELATIVE} is set, too: it wins, and ${FULL} is never asked`, `unset ${RELATIVE}`))
    if (isSet('AWS_EC2_METADATA_SERVICE_ENDPOINT')) {
      findings.push(
        warning(`${FULL} comes before AWS_EC2_METADATA_SERVICE_ENDPOINT, which is set, too`, 'unset one of them'),
      )
    }
  }
  for (const name of [TOKEN, TOKEN_FILE]) {
    if (isSet(name) && !isSet(FULL) && !isSet(RELATIVE)) {
      findings.push(warning(`${name} is set, but no endpoint that it is for`, `set ${FULL}, or unset ${name}`))
    }
  }
  if (isSet(TOKEN) && isSet(TOKEN_FILE)) {
    findings.push(warning(`${TOKEN} and ${TOKEN_FILE} are both set: the file wins`, `unset ${TOKEN}`))
  }
  return findings
}

async function tokenFileFindings(env: DoctorContext['env']): Promise<Finding[]> {
  const path = env[TOKEN_FILE] ?? ''
  if (path === '') return []
  const findings = isAbsolute(path)
    ? []
    : [warning(`${TOKEN_FILE} begins at the folder that a tool is started in`, 'set it to the whole path')]
  const read = await readSmallFile(path)
  if ('wrong' in read) return [...findings, problem(`the file of ${TOKEN_FILE} ${read.wrong}`)]
  if (read.text.trim() === '') findings.push(problem(`the file of ${TOKEN_FILE} is empty`))
  else if (/[\r\n]/.test(read.text)) {
    findings.push(
      problem(
        `the file of ${TOKEN_FILE} has a line feed in it: tools refuse it`,
        'write it without one, as printf does',
      ),
    )
  }
  if ((read.stats.mode & 0o077) !== 0) {
    findings.push(warning(`the file of ${TOKEN_FILE} is open to others (mode ${modeOf(read.stats)})`, 'chmod 600 it'))
  }
  return findings
}

function urlOf(text: string | undefined): URL | undefined {
  if (text === undefined || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return url.protocol === 'http:' || url.protocol === 'https:' ? url : undefined
}

const isNear = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || LINK_LOCAL.has(host) || (isIP(host) === 4 && host.startsWith('127.'))
