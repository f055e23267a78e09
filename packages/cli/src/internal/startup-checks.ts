import { url as inspectorUrl } from 'node:inspector'

/** What a process was started with, as far as it decides whether secrets stay inside it. */
export interface ProcessFacts {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Flags of Node itself. */
  readonly execArgv: readonly string[]
  /** Of an open inspector. */
  readonly inspectorUrl: string | undefined
  /** `20.19.0` */
  readonly nodeVersion: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The facts of this very process. */
export const thisProcess = (): ProcessFacts => ({
  env: process.env,
  execArgv: process.execArgv,
  inspectorUrl: inspectorUrl(),
  nodeVersion: process.versions.node,
  now: Date.now(),
})

/** What a broker must not start with, and what it may start with only loudly. No value of a variable is in a line. */
export function checkProcess(facts: ProcessFacts): { readonly problems: string[]; readonly warnings: string[] } {
  const { env, execArgv } = facts
  const problems = REFUSED_VARIABLES.filter(([name, isBad]) => isBad(env[name])).map(
    ([name, , why]) => `${name} is set: ${why}`,
  )
  if (execArgv.some((flag) => flag.startsWith('--tls-keylog'))) {
    problems.push('--tls-keylog is given: it writes the keys of every connection to a file')
  }
  if (facts.inspectorUrl !== undefined || execArgv.some((flag) => flag.startsWith('--inspect'))) {
    problems.push('the inspector is on: whoever reaches it reads and runs everything')
  }
  const end = END_OF_LIFE.get(Number.parseInt(facts.nodeVersion, 10))
  const warnings =
    end !== undefined && facts.now >= Date.parse(end)
      ? [`Node ${facts.nodeVersion} is past its end of life (${end}): it gets no security fixes`]
      : []
  return { problems, warnings }
}

const isSet = (value: string | undefined): boolean => value !== undefined && value !== ''

const REFUSED_VARIABLES: readonly [name: string, isBad: (value: string | undefined) => boolean, why: string][] = [
  ['NODE_TLS_REJECT_UNAUTHORIZED', (value) => value === '0', 'it turns certificate checks off'],
  ['NODE_EXTRA_CA_CERTS', isSet, 'it adds authorities to every connection'],
  ['SSLKEYLOGFILE', isSet, 'it asks for the keys of every connection in a file'],
  ['NODE_OPTIONS', isSet, 'it can change anything, from TLS to what code runs'],
]

/** https://github.com/nodejs/release, retrieved 2026-11-22. */
const END_OF_LIFE = new Map([
  [20, '2026-04-30'],
  [21, '2024-06-01'],
  [22, '2027-04-30'],
  [23, '2025-06-01'],
  [24, '2028-04-30'],
  [25, '2026-06-01'],
])
