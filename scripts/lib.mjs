// What the wrapper scripts share: they run on a bare Node, so nothing but node: modules may be imported here.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PNPM = 'pnpm@12.21.0'
const STATE = join(ROOT, 'node_modules', '.hardbound')

/** Says what happens next, on stderr, so that stdout stays the command's own. */
export function step(text) {
  process.stderr.write(`\n\u25b8 ${text}\n`)
}

/** Ends with a message for people. */
export function stop(text, code = 1) {
  process.stderr.write(`\n${text}\n`)
  process.exit(code)
}

/** Runs a program in the root; ends with its exit code when it fails. */
export function run(command, args, { env = {}, allowFailure = false, quiet = false } = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', ...env },
  })
  if (error) stop(`cannot run ${command}: ${error.message}`)
  if (status !== 0 && !allowFailure) {
    if (quiet) process.stderr.write(`${stdout}${stderr}`)
    stop(`${command} ${args.join(' ')} failed (exit ${status})`)
  }
  return status ?? 1
}

export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    stop(`Node 20.19 or newer is needed, this is ${process.versions.node}.`)
}

/** Installs the workspace's packages, unless they already are what the lockfile says. */
export function install() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(ROOT, 'pnpm-lock.yaml')))
    .digest('hex')
  const stamp = join(STATE, 'installed')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  step('Installing packages (pnpm, frozen lockfile)')
  run('npx', ['--yes', PNPM, 'install', '--frozen-lockfile', '--prefer-offline'], {
    env: { CI: 'true', ...nodeHeaders() },
  })
  mkdirSync(STATE, { recursive: true })
  writeFileSync(stamp, wanted)
}

/**
 * The one native addon, pkcs11js, is built against the headers beside the running Node. Where there are none it is not built, as it is
 * optional; node-gyp would fetch some from the network.
 */
const nodeHeaders = () => ({ npm_config_nodedir: join(dirname(realpathSync(process.execPath)), '..') })

/** Runs a program of the workspace with pnpm on its PATH, as some of them call it. */
export function pnpmExec(args, options) {
  return run('npx', ['--yes', PNPM, 'exec', ...args], options)
}

/** Runs a turbo task, or several at a time, over the workspace, or over the packages of `filters` and what they stand on. */
export function turbo(task, { filters = [], args = ['--output-logs=errors-only'], ...options } = {}) {
  const only = filters.map((it) => `--filter=${it}`)
  return pnpmExec(['turbo', 'run', ...[task].flat(), ...only, ...args], options)
}
