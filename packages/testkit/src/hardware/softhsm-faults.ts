/** As much of the package pkcs11js as is wrapped here. */
interface Addon {
  PKCS11: { new (): object; readonly prototype: object }
  Pkcs11Error: new (message: string) => Error
}

type Call = (...args: unknown[]) => unknown

/** A package that passes every call on to pkcs11js, but for those that are told to fail. */
export interface Pkcs11Faults<T> {
  /** To be passed where pkcs11js would be. */
  readonly addon: T
  /** Names of all functions called so far, the failed ones included. */
  readonly calls: string[]
  /** Has the next `times` calls of a function answer with this CK_RV, and not reach the module. */
  fail(name: string, rv: number, times?: number): void
  /** Answers in the module's place, until {@link Pkcs11Faults.reset}; `real` asks the module. */
  replace(name: string, answer: (real: Call, ...args: unknown[]) => unknown): void
  reset(): void
}

/** SoftHSM never locks a PIN, loses no session and is never slow. This does it in its place, before the call reaches it. */
export function createPkcs11Faults<T extends Addon>(addon: T): Pkcs11Faults<T> {
  const calls: string[] = []
  const failures = new Map<string, { rv: number; left: number }>()
  const answers = new Map<string, (real: Call, ...args: unknown[]) => unknown>()

  class Faulty extends addon.PKCS11 {
    constructor() {
      super()
      const functions = this as Record<string, unknown>
      const names = [...Object.keys(this), ...Object.getOwnPropertyNames(addon.PKCS11.prototype)]
      for (const name of names.filter((it) => it.startsWith('C_'))) {
        const real = (functions[name] as Call).bind(this)
        functions[name] = (...args: unknown[]) => answer(name, real, args)
      }
    }
  }

  function answer(name: string, real: Call, args: unknown[]): unknown {
    calls.push(name)
    const failure = failures.get(name)
    if (failure !== undefined && failure.left > 0) {
      failure.left -= 1
      const error = new addon.Pkcs11Error(`CKR_INJECTED:${failure.rv}`)
      if (name.endsWith('Async')) return Promise.reject(error)
      throw error
    }
    const replacement = answers.get(name)
    return replacement === undefined ? real(...args) : replacement(real, ...args)
  }

  return {
    addon: { ...addon, PKCS11: Faulty },
    calls,
    fail: (name, rv, times = 1) => failures.set(name, { rv, left: times }),
    replace: (name, replacement) => answers.set(name, replacement),
    reset() {
      failures.clear()
      answers.clear()
      calls.length = 0
    },
  }
}
