import { isAbsolute } from 'node:path'
import type { AwsContainerInit, AwsInit } from '../types.ts'
import { containerPath } from './aws-side.ts'

/** What IAM takes, and a path segment that no client rewrites: dots alone are none. */
const ROLE_NAME = /^(?=.*\w)[\w+=,.@-]{1,64}$/
const ROLE_ARN = /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/
const PATH = /^(?:\/(?=[^/]*\w)[\w+=,.@~-]+){1,16}$/
/** Below these are the other endpoints. */
const TAKEN = /^\/(?:latest|metadata|msi)(?:\/|$)/

/** @throws {TypeError} */
export function assertAws(all: readonly AwsInit[]): void {
  if (all.length === 0) throw new TypeError('"aws" is empty')
  for (const one of all) assertOne(one)
  assertDistinct(
    'aws.roleName',
    all.map((it) => it.roleName),
  )
  const containers = all.filter((it) => it.container !== undefined)
  assertDistinct('aws.container.path', containers.map(containerPath))
  assertDistinct(
    'aws.container.tokenFile',
    containers.flatMap((it) => it.container?.tokenFile ?? []),
  )
}

function assertOne({ provider, roleName, roleArn, imds = true, container }: AwsInit): void {
  if (typeof provider !== 'function') throw new TypeError('"aws.provider" must be a credential provider')
  if (!ROLE_NAME.test(roleName)) throw new TypeError('"aws.roleName" must be the name of an IAM role, without a path')
  if (roleArn !== undefined && !ROLE_ARN.test(roleArn)) throw new TypeError('"aws.roleArn" must be the ARN of a role')
  if (!imds && container === undefined) throw new TypeError('"aws.container" is needed where "aws.imds" is false')
  if (container !== undefined) assertContainer(container)
}

function assertContainer({ authorizationToken, tokenFile, path }: AwsContainerInit): void {
  if (authorizationToken !== undefined && !/^[\x21-\x7e]{16,1024}$/.test(authorizationToken)) {
    throw new TypeError('"aws.container.authorizationToken" must be 16 to 1024 printable ASCII characters')
  }
  if (tokenFile !== undefined && !isAbsolute(tokenFile)) {
    throw new TypeError('"aws.container.tokenFile" must be an absolute path')
  }
  if (path !== undefined && (!PATH.test(path) || TAKEN.test(path) || path.length > 512)) {
    throw new TypeError('"aws.container.path" must be a plain path, not below /latest, /metadata or /msi')
  }
}

function assertDistinct(name: string, values: readonly string[]): void {
  if (new Set(values).size < values.length) throw new TypeError(`"${name}" is there twice`)
}
