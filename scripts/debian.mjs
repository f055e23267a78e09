// The tests' real peers are Debian packages: installed where that is possible, named where it is not.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run, step, stop } from './lib.mjs'

/** Packages, and a file that each of them has; `*` stands for the architecture. */
const NEEDED = [
  ['awscli', '/usr/bin/aws'],
  ['python3-boto3', '/usr/lib/python3/dist-packages/boto3'],
  ['chromium', '/usr/bin/chromium'],
  ['openssl', '/usr/bin/openssl'],
  ['softhsm2', '/usr/bin/softhsm2-util'],
  ['opensc', '/usr/bin/pkcs11-tool'],
  ['p11-kit-modules', '/usr/lib/*/p11-kit-proxy.so'],
  ['swtpm', '/usr/bin/swtpm'],
  ['tpm2-tools', '/usr/bin/tpm2_hmac'],
  ['tpm2-openssl', '/usr/lib/*/ossl-modules/tpm2.so'],
  // pkcs11js, which is optional, is built from its source.
  ['g++', '/usr/bin/g++'],
  ['make', '/usr/bin/make'],
  ['python3', '/usr/bin/python3'],
]

/** Whether a file is there, in whichever folder of an architecture. */
function isThere(pattern) {
  const [before, after] = pattern.split('*')
  if (after === undefined) return existsSync(pattern)
  return readdirSync(before).some((folder) => existsSync(join(before, folder, after)))
}

export function installDebianPackages() {
  const missing = NEEDED.filter(([, file]) => !isThere(file)).map(([name]) => name)
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
