export { CredentialsFileError, type CredentialsFileErrorCode } from './credentials-file/errors.ts'
export type { AwsKeys } from './credentials-file/keys.ts'
export type { UpdateProfileResult } from './credentials-file/replace-profile.ts'
export {
  type StartUpdatingInit,
  startUpdating,
  type Updater,
  type UpdaterEvent,
} from './credentials-file/start-updating.ts'
export { type UpdateProfileInit, updateProfile } from './update-profile.ts'
