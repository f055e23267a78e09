// The tests' real peers are Debian packages: installed where that is possible, named where it is not.
import { existsSync } from 'node:fs'
import { run, step, stop } from './lib.mjs'

/** Program looked for, and the package that has it. */
const NEEDED = [
  ['/usr/bin/aws', 'awscli'],
  ['/usr/bin/openssl', 'openssl'],
]

export function installDebianPackages() {
  const missing = NEEDED.filter(([program]) => !existsSync(program)).map(([, name]) => name)
  if (missing.length === 0) return
  const line = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
    stop(
      `The tests need: ${missing.join(', ')}. On Debian or Ubuntu run this once, then npm test again:\n\n  sudo sh -c '${line}'\n`,
    )
  }
  step(`Installing Debian packages: ${missing.join(', ')}`)
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  run('apt-get', ['update', '-qq'], { env })
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env, quiet: true })
}
