import type { Stats } from 'node:fs'
import { type Finding, findingsOf } from './finding.ts'
import { modeOf } from './small-file.ts'

const { problem } = findingsOf('tpm')

/**
 * A device that this user may not open, and who may.
 *
 * @param group Name of its group.
 * @param mine Groups of this process.
 */
export function refused(
  path: string,
  stats: Pick<Stats, 'mode' | 'gid'>,
  group: string,
  mine: readonly number[],
): Finding {
  const message = `this user may not open ${path} (mode ${modeOf(stats)}, group ${group})`
  const isForGroup = stats.gid !== 0 && (stats.mode & 0o060) === 0o060
  if (!isForGroup) {
    return problem(
      message,
      'have udev give it to the group tss (Debian: apt-get install tpm-udev), then join that group',
    )
  }
  if (mine.includes(stats.gid))
    return problem(message, 'something beside its mode forbids it: look at containers and SELinux')
  return problem(message, `sudo usermod -aG ${group} $USER, then log in anew`)
}
