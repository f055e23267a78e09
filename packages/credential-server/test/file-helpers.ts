import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as promises from 'node:fs/promises'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformSync } from '@swc/core'
import type { FileSystem } from '../src/credentials-file/file-system.ts'
import type { AwsKeys } from '../src/credentials-file/keys.ts'

export const KEYS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'session-token-canary',
} satisfies AwsKeys

/** A set whose three values tell which one it is. */
export function numbered(n: number | string, expiration?: Date): AwsKeys {
  return {
    accessKeyId: `access-${n}`,
    secretAccessKey: `secret-${n}`,
    sessionToken: `token-${n}`,
    ...(expiration === undefined ? {} : { expiration }),
  }
}

/** A folder (0700) of a test. */
export async function scratch(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await promises.realpath(await mkdtemp(join(tmpdir(), 'credentials-')))
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

export function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  )
}

const source = fileURLToPath(new URL('../src', import.meta.url))

/** The package as JavaScript, for processes of its own. */
export async function compileSources(folder: string): Promise<string> {
  const out = join(folder, 'compiled')
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const { code } = transformSync(await readFile(path, 'utf8'), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'es6' },
    })
    const target = join(out, relative(source, path)).replace(/\.ts$/, '.js')
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, code.replace(/(from\s+['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'))
  }
  await writeFile(join(out, 'package.json'), '{"type":"module"}')
  return out
}

/** Starts a program of `fixtures/` on compiled sources, as another user where `uid` says so. */
export function startChild(name: string, args: readonly (string | number)[], uid?: number): ChildProcess {
  const file = fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))
  const user = uid === undefined ? {} : { uid, gid: uid, cwd: '/' }
  return spawn(process.execPath, [file, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {},
    ...user,
  })
}

export async function outcome(
  child: ChildProcess,
): Promise<{ code: number | null; signal: string | null; stdout: string }> {
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, signal, stdout: Buffer.concat(chunks).toString() }
}

/** Runs `work` for each, so many at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
}

export interface FaultyFs {
  readonly fs: FileSystem
  /** What was called: `open`, `handle.sync`. */
  readonly calls: string[]
  closeAll(): Promise<void>
}

export type Fault = (call: number, name: string) => 'go' | 'half' | Error

/**
 * The real file system, with a say before each call. After `half`, half of what was to be written is, and nothing works any
 * more: that is what a crash leaves.
 */
export function faultyFs(fault: Fault): FaultyFs {
  const calls: string[] = []
  const handles: promises.FileHandle[] = []
  let dead: Error | undefined
  const guarded = async (name: string, run: (half: boolean) => Promise<unknown>): Promise<unknown> => {
    if (dead !== undefined) throw dead
    calls.push(name)
    const verdict = fault(calls.length, name)
    if (verdict instanceof Error) throw verdict
    if (verdict === 'go') return await run(false)
    dead = new Error('crashed')
    await run(true)
    throw dead
  }
  const wrap = (handle: promises.FileHandle): promises.FileHandle => {
    handles.push(handle)
    return new Proxy(handle, {
      get: (_, property) => {
        const value = Reflect.get(handle, property) as unknown
        if (typeof value !== 'function') return value
        return (...args: unknown[]) =>
          guarded(`handle.${String(property)}`, async (half) => {
            const [first] = args
            const given = half && first instanceof Uint8Array ? [first.subarray(0, first.length >> 1)] : args
            return await (value.apply(handle, given) as Promise<unknown>)
          })
      },
    })
  }
  const fs = new Proxy(promises, {
    get: (target, property) => {
      const value = Reflect.get(target, property) as (...args: unknown[]) => Promise<unknown>
      return (...args: unknown[]) =>
        guarded(String(property), async () => {
          const result = await value(...args)
          return property === 'open' ? wrap(result as promises.FileHandle) : result
        })
    },
  })
  const closeAll = async (): Promise<void> => {
    await Promise.all(handles.map((handle) => handle.close().catch(() => {})))
  }
  return { fs: fs as unknown as FileSystem, calls, closeAll }
}

export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code, syscall: 'injected' })
}
