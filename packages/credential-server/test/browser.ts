import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DnsServer } from './dns-over-https.ts'

const CHROMIUM = '/usr/bin/chromium'
const FLAGS = [
  '--headless',
  '--remote-debugging-pipe', // nobody speaks there; a pipe whose other end is gone ends the browser
  '--no-first-run',
  '--no-proxy-server',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-sync',
  '--disable-background-networking',
  '--disable-component-update',
]

export interface Browser {
  /** Rejects after that long, or when the browser ends; with what it said. */
  failed(ms: number): Promise<never>
  /** Ends it, and removes all that it wrote. */
  close(): Promise<void>
}

/** Starts a Chromium that nobody sees, with a profile of its own, which asks this DNS and no other. */
export async function openInBrowser(url: string, dns: DnsServer): Promise<Browser> {
  if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing (Debian: apt-get install chromium)`)
  const folder = await mkdtemp(join(tmpdir(), 'chromium-'))
  const profile = join(folder, 'profile')
  await mkdir(profile)
  const settings = { dns_over_https: { mode: 'secure', templates: dns.url } }
  await writeFile(join(profile, 'Local State'), JSON.stringify(settings))
  const flags = [
    ...FLAGS,
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), // Chromium refuses root otherwise
    `--user-data-dir=${profile}`,
    `--ignore-certificate-errors-spki-list=${dns.spki}`,
  ]
  const child = spawn(CHROMIUM, [...flags, url], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin', HOME: folder, TMPDIR: folder },
  })
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-4000)
  })
  let timer: NodeJS.Timeout | undefined
  return {
    failed: (ms) =>
      new Promise((_, reject) => {
        const fail = () => reject(new Error(`Chromium did not get there: ${stderr}`))
        timer = setTimeout(fail, ms)
        child.once('close', fail)
      }),
    close: async () => {
      clearTimeout(timer)
      await end(child)
      await rm(folder, { recursive: true, maxRetries: 5 }) // a process of its own that ends later may write still
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill()
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await closed
  clearTimeout(timer)
}
