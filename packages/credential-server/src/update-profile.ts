import * as fs from 'node:fs/promises'
import { type AwsKeys, assertKeys, assertPath, assertProfile } from './credentials-file/keys.ts'
import { replaceProfile, type UpdateProfileResult } from './credentials-file/replace-profile.ts'

/** What {@link updateProfile} needs to know. */
export interface UpdateProfileInit {
  /** The shared credentials file, mostly `~/.aws/credentials` (spelt out). It and its folder are made where there is none. */
  file: string
  /** Name of the section, without brackets: `default`. 1 to 255 octets. */
  profile: string
  /** What to write. Whether they are still valid is not looked at. */
  credentials: AwsKeys
  /** Takes the file from everybody but its owner (0600) even if they could read it before. Default: false, its mode is kept. */
  tighten?: boolean
  /** How long to wait for other updaters of this file, in milliseconds, 0 to 600 000. Default: 10 000. */
  lockTimeoutMs?: number
  /** Ends the wait. A write that was begun is finished. */
  signal?: AbortSignal
}

/**
 * Writes keys into one profile of a shared AWS credentials file: `aws_access_key_id`, `aws_secret_access_key` and
 * `aws_session_token` of the first section of that name. Everything else stays as it is, octet for octet.
 *
 * The file is replaced as a whole, under a lock that all updaters share: a crash or a full disk leaves the old one or the new
 * one. Owner, group and mode are kept, and a symbolic link stays one. Access control lists and extended attributes are not kept.
 *
 * @throws {TypeError | RangeError} on an argument that can't be right.
 * @throws {CredentialsFileError} when the file was not written. After `ERR_CREDENTIALS_FILE_IO` it may be the new one already.
 */
export async function updateProfile(init: UpdateProfileInit): Promise<UpdateProfileResult> {
  const { file, profile, credentials, tighten = false, lockTimeoutMs = 10_000, signal } = init
  assertUpdate(init)
  assertKeys(credentials)
  return await replaceProfile(fs, { file, profile, credentials, tighten, lockTimeoutMs, signal })
}

/** @throws {TypeError | RangeError} */
export function assertUpdate({ file, profile, lockTimeoutMs = 0 }: Omit<UpdateProfileInit, 'credentials'>): void {
  assertPath('file', file)
  assertProfile(profile)
  if (!(lockTimeoutMs >= 0 && lockTimeoutMs <= 600_000)) throw new RangeError('"lockTimeoutMs" must be 0 to 600000')
}
