import { basename } from 'node:path'
import { loadAddon } from './addon.ts'
import { checkModulePath } from './check-module.ts'
import type { Cryptoki, Pkcs11Addon } from './cryptoki.ts'
import { defaultModulePath } from './default-module.ts'
import { Pkcs11Error } from './errors.ts'
import { CKF } from './internal/ck.ts'
import { call, rvOf } from './internal/native-error.ts'
import { CKR } from './internal/rv.ts'

/** Which module to load, and from where it may come. */
export interface LoadModuleInit {
  /** Absolute path of the module. Default: p11-kit's proxy. */
  readonly modulePath?: string | undefined
  /** Its name alone, as `softhsm2`: looked for where packages install modules. */
  readonly moduleName?: string | undefined
  /** Folders or files that modules may come from. Default: `DEFAULT_MODULE_FOLDERS`. */
  readonly allowedModules?: readonly string[] | undefined
  /** The package pkcs11js, where `require` can't find it. Default: it is required. */
  readonly addon?: Pkcs11Addon | undefined
}

/** A loaded module, shared by all who loaded it in this process. */
export interface Pkcs11Module {
  /** With all links followed. */
  readonly path: string
  readonly cryptoki: Cryptoki
  /** Counts restarts. After one, no slot, session or object handle from before holds. */
  readonly epoch: number
  /** Notes that a call is in progress on another thread, until the returned function is called. */
  startCall(): () => void
  /**
   * Stops the module and starts it again: some see tokens that came back only then.
   *
   * @returns false where that can't be done now: a call is in progress, or another part of this process keeps it running.
   * @throws {Pkcs11Error}
   */
  restart(): boolean
  /** Stops the module once everybody has closed it. A second call does nothing. */
  close(): void
}

const NO_USER_CONFIG = 'P11_KIT_NO_USER_CONFIG'

/** One C_Initialize per module and process. */
interface Loaded {
  readonly cryptoki: Cryptoki
  /** Whether it was us who started it, and so may stop it. */
  owned: boolean
  users: number
  calls: number
  epoch: number
}
const loaded = new Map<string, Loaded>()

/**
 * Loads a PKCS #11 module into this process and starts it.
 *
 * @throws {Pkcs11Error} `ERR_PKCS11_MODULE`, `ERR_PKCS11_ADDON`
 */
export function loadModule({ modulePath, moduleName, allowedModules, addon }: LoadModuleInit = {}): Pkcs11Module {
  const path = checkModulePath(modulePath ?? defaultModulePath(moduleName), allowedModules)
  let it = loaded.get(path)
  if (it === undefined) {
    const { PKCS11 } = addon ?? loadAddon()
    it = started(new PKCS11(), path)
    loaded.set(path, it)
  }
  it.users += 1
  return moduleFor(it, path)
}

function moduleFor(it: Loaded, path: string): Pkcs11Module {
  let open = true
  return {
    path,
    cryptoki: it.cryptoki,
    get epoch() {
      return it.epoch
    },
    startCall() {
      it.calls += 1
      let done = false
      return () => {
        if (!done) it.calls -= 1
        done = true
      }
    },
    restart() {
      if (it.calls > 0) return false
      const { owned } = it
      if (owned) {
        it.epoch += 1
        finalize(it.cryptoki)
      }
      it.owned = initialize(it.cryptoki, path) || owned // still ours where it could not be stopped
      if (!owned && it.owned) it.epoch += 1 // whoever had started it has stopped it
      return it.owned
    },
    close() {
      if (!open) return
      open = false
      it.users -= 1
      if (it.users > 0) return
      loaded.delete(path)
      if (it.calls > 0) return // a thread is still in there: the end of the process stops it
      if (it.owned) finalize(it.cryptoki)
      it.cryptoki.close()
    },
  }
}

function started(cryptoki: Cryptoki, path: string): Loaded {
  load(cryptoki, path)
  try {
    return { cryptoki, owned: initialize(cryptoki, path), users: 0, calls: 0, epoch: 0 }
  } catch (error) {
    cryptoki.close()
    throw error
  }
}

function load(cryptoki: Cryptoki, path: string): void {
  if (basename(path).includes('p11-kit')) ignoreUserConfig()
  try {
    cryptoki.load(path)
  } catch (cause) {
    throw new Pkcs11Error('ERR_PKCS11_MODULE', `${path} can't be loaded as a PKCS #11 module`, { cause })
  }
}

/** @returns whether it had not been started before. */
function initialize(cryptoki: Cryptoki, path: string): boolean {
  try {
    cryptoki.C_Initialize({ flags: CKF.OS_LOCKING_OK })
    return true
  } catch (error) {
    const rv = rvOf(error)
    if (rv === CKR.CRYPTOKI_ALREADY_INITIALIZED) return false
    throw new Pkcs11Error(
      'ERR_PKCS11_MODULE',
      `${path} does not start (C_Initialize)`,
      rv === undefined ? { cause: error } : { rv },
    )
  }
}

/**
 * p11-kit loads what is named in the user's own configuration too, and finds that by the environment: those modules would be checked
 * by nobody. p11-kit's pkcs11.conf(5), "user-config". It does so when it is itself loaded.
 *
 * @throws {Pkcs11Error} in a worker, whose environment is a copy that native code does not see.
 */
function ignoreUserConfig(): void {
  if (process.env[NO_USER_CONFIG] === '1') return
  // Not imported: that costs a command half a millisecond of its start.
  if (process.getBuiltinModule('node:worker_threads').isMainThread) process.env[NO_USER_CONFIG] = '1'
  else
    throw new Pkcs11Error(
      'ERR_PKCS11_MODULE',
      `to load p11-kit in a worker, start the program with ${NO_USER_CONFIG}=1`,
    )
}

function finalize(cryptoki: Cryptoki): void {
  try {
    call('C_Finalize', () => cryptoki.C_Finalize())
  } catch {
    // Then it was not running.
  }
}
