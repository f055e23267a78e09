import type { z } from 'zod'
import { fileProblem, readTextFile } from '../input.ts'

/** One thing that is wrong with a configuration. `path` is its key, `tls.key_file`; empty for the file as a whole. */
export interface Problem {
  readonly path: string
  readonly problem: string
}

/** A configuration that can't be used. It lists everything that was found; no line holds a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(`${problems.length} problem${problems.length === 1 ? '' : 's'}`)
    this.problems = problems
  }
}

/** Collects problems, so that one run shows all of them. */
export interface Findings {
  readonly problems: Problem[]
  readonly warnings: Problem[]
  add(path: string, problem: string): void
  warn(path: string, problem: string): void
  /** Text of a file that the configuration names; `undefined`, and a problem, where it can't be read. */
  read(path: string, file: string): Promise<string | undefined>
  /** What `make` gives; `undefined`, and a problem, where it throws. An option that an error names becomes a key. */
  attempt<T>(path: string, make: () => T): T | undefined
}

/** @param keyOf Names of options that are not the key's in camel case. */
export function createFindings(keyOf: Readonly<Record<string, string>> = {}): Findings {
  const findings: Findings = {
    problems: [],
    warnings: [],
    add: (path, problem) => void findings.problems.push({ path, problem }),
    warn: (path, problem) => void findings.warnings.push({ path, problem }),
    async read(path, file) {
      try {
        return await readTextFile(file)
      } catch (cause) {
        findings.add(path, `${file} ${fileProblem(cause)}`)
        return undefined
      }
    },
    attempt(path, make) {
      try {
        return make()
      } catch (cause) {
        if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause
        const [, option, problem] = /^"(\w+)" (.+)$/.exec(cause.message) ?? []
        if (option === undefined || problem === undefined) findings.add(path, cause.message)
        else findings.add(`${path}.${keyOf[option] ?? snakeCase(option)}`, problem)
        return undefined
      }
    },
  }
  return findings
}

/** `maxBodyBytes` to `max_body_bytes`: what an option is called in a configuration file. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Zod's messages name what was expected, never what was there. */
export function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: formatPath([...issue.path, key]), problem: 'unknown key' }))
  }
  return [{ path: formatPath(issue.path), problem: issue.message }]
}

/** `attestation.issuers[0].type` */
function formatPath(segments: readonly PropertyKey[]): string {
  return segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`
    return path === '' ? String(segment) : `${path}.${String(segment)}`
  }, '')
}
