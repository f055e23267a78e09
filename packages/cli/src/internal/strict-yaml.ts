import { PolicyError, parseStrictYaml } from '@hardbound/broker-core'
import { ConfigError } from './config-error.ts'

/**
 * Parses a configuration file exactly as a policy file is parsed.
 *
 * @throws {ConfigError} with line and column; never with the text that stands there.
 */
export function parseConfigYaml(text: string): unknown {
  try {
    return parseStrictYaml(text)
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause
    throw new ConfigError([{ path: '', problem: cause.message }])
  }
}
