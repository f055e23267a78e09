import { RolesAnywhereError } from '../errors.ts'
import { closedError } from './closed.ts'

/**
 * A password: text (used as UTF-8), octets, or what asks a person for it. That is called only where a password is needed, and again
 * after a wrong one.
 */
export type Password = string | Uint8Array | (() => string | Uint8Array | Promise<string | Uint8Array>)

/** A password that is kept until it is wiped. */
export interface PasswordKeeper {
  /** It is there already, and nobody has to be asked. */
  readonly given: boolean
  /** Somebody can be asked for it. */
  readonly asks: boolean
  /**
   * Has `work` done with the password. What a person typed is kept if that succeeded, for the next time.
   *
   * @param what What it is the password of, as in "the private key in key.pem".
   * @throws {RolesAnywhereError} `ERR_RA_PASSWORD` where there is none, or what `work` throws.
   */
  use<T>(what: string, work: (password: Uint8Array) => Promise<T>): Promise<T>
  /** Waits for nobody's answer any more: `use` throws `ERR_RA_CLOSED` where somebody was asked. */
  stopAsking(): void
  wipe(): void
}

export function keepPassword(password: Password | undefined): PasswordKeeper {
  let kept = typeof password === 'function' || password === undefined ? undefined : Buffer.from(password)
  let stop: () => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(closedError())
  })
  stopped.catch(() => undefined) // mostly nobody listens
  return {
    get given() {
      return kept !== undefined
    },
    asks: typeof password === 'function',
    async use(what, work) {
      if (kept !== undefined) return work(kept)
      if (typeof password !== 'function') {
        throw new RolesAnywhereError('ERR_RA_PASSWORD', `${what} is encrypted, and no password was given`)
      }
      const typed = Buffer.from(await Promise.race([password(), stopped]))
      try {
        const result = await work(typed)
        kept = Buffer.from(typed)
        return result
      } finally {
        typed.fill(0)
      }
    },
    stopAsking: stop,
    wipe() {
      kept?.fill(0)
      kept = undefined
    },
  }
}
