import { existsSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Folder, runProcess } from './helpers.ts'

const AWS = '/usr/bin/aws'
const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`

/** A drop-in command as it is installed: a link to its file in `bin`. */
export async function installGoCommand(name: string, folder: Folder, env: Readonly<Record<string, string>>) {
  if (!existsSync(AWS)) throw new Error(`${AWS} is missing: apt-get install awscli`)
  const path = `${folder.path}/${name}`
  await symlink(fileURLToPath(new URL(`../bin/${name}.cjs`, import.meta.url)), path)
  return {
    path,
    /** Runs it to its end. */
    run: (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
      runProcess(path, args, { PATH, ...env, ...more }),
    /** The AWS CLI with these profiles, by name the words after the program's path, and nothing else to get keys from. */
    async awsCli(profiles: Readonly<Record<string, string>>, endpoint: string, ...args: string[]) {
      const lines = Object.entries(profiles).map(
        ([profile, words]) => `[profile ${profile}]\nregion = us-east-1\ncredential_process = ${path} ${words}\n`,
      )
      await folder.write('config', lines.join('\n'))
      return runProcess(AWS, [...args, '--endpoint-url', endpoint], {
        PATH,
        HOME: folder.path,
        AWS_CONFIG_FILE: `${folder.path}/config`,
        AWS_SHARED_CREDENTIALS_FILE: `${folder.path}/none`,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_PAGER: '',
        ...env,
      })
    },
  }
}
export type InstalledGoCommand = Awaited<ReturnType<typeof installGoCommand>>
