import { lstat, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { dirname } from 'node:path'
import type { DoctorContext } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, problem, absent } = findingsOf('launcher')
const SOCKET = '/run/container_launcher/teeserver.sock'
const DEADLINE_MS = 2_000

/** The launcher of Confidential Space: is its socket there, ours to use, and does it answer? No token is asked for. */
export async function launcherCheck({ options }: DoctorContext): Promise<Finding[]> {
  const path = options.socket ?? SOCKET
  const found = await Promise.all([lstat(path), stat(dirname(path))]).catch(codeOf)
  if (found === 'ENOENT' || found === 'ENOTDIR') {
    const none = `no launcher at ${path}: this is no Confidential Space`
    if (options.socket === undefined) return [absent(none)]
    return [problem(`no launcher at ${path}`, 'mount the socket into the container, or leave --socket out')]
  }
  if (typeof found === 'string') return [problem(`${path} can't be looked at (${found})`)]
  const [socket, folder] = found
  if (!socket.isSocket()) return [problem(`${path} is not a socket`)]
  // As the client has it: a stranger's socket would be handed our nonces.
  if (socket.uid !== 0 && socket.uid !== process.geteuid?.()) {
    return [problem(`${path} belongs to another user, and is not used`, 'run as the user that the launcher runs as')]
  }
  if ((folder.mode & 0o1002) === 0o002) {
    return [
      problem(`${path} is in a folder that everybody may write to, and is not used`, `chmod o-w ${dirname(path)}`),
    ]
  }
  const answer = await ask(path)
  if (answer === undefined) return [ok(`the launcher answers at ${path}`)]
  return [problem(`${path} ${answer}`, CURES.get(answer))]
}

const REFUSED = 'lets this user not connect'
const NOBODY = 'is there, but nobody listens'
const CURES = new Map([
  [REFUSED, 'run as the user that the socket belongs to'],
  [NOBODY, 'the launcher has ended: look at its logs, and restart the VM'],
])

/** @returns what is wrong, or `undefined` for any answer in HTTP: on this path a launcher has none but 404. */
function ask(socketPath: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/', headers: { host: 'localhost' }, agent: false })
    const settle = (answer: string | undefined): void => {
      clearTimeout(timer)
      resolve(answer)
      asked.destroy()
    }
    const timer = setTimeout(() => settle(`does not answer within ${DEADLINE_MS / 1000} s`), DEADLINE_MS)
    asked.once('response', () => settle(undefined))
    asked.on('error', (error) => {
      const code = codeOf(error)
      if (code === 'EACCES' || code === 'EPERM') return settle(REFUSED)
      if (code === 'ECONNREFUSED') return settle(NOBODY)
      settle(code.startsWith('HPE_') ? 'speaks no HTTP' : `can't be talked to (${code})`)
    })
    asked.end()
  })
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : 'unknown')
