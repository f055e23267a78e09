import { HmacBackendError } from '@hardbound/sigv4-hmac/backend'

/** How long an unwrapped key may stay in memory. */
export interface CachePolicy {
  /** Seconds from the request to the KMS on. Default: 300. */
  readonly maxAgeSeconds?: number
  /** HMACs that one unwrapping may serve; calls that arrive while it is under way share it whatever this says. Default: no bound. */
  readonly maxUses?: number
}

/** Lends out an unwrapped key, and wipes it. */
export interface SecretUse {
  /** @param work Runs at once on the key's octets; must not keep them. @throws {HmacBackendError} */
  use<T>(work: (secret: Uint8Array) => T): Promise<T>
  /** Wipes and gives up what is under way. */
  close(): void
}

interface Waiter {
  serve(secret: Uint8Array): void
  reject(error: unknown): void
}

interface Held {
  readonly secret: Uint8Array
  readonly untilMs: number
  usesLeft: number
  readonly timer: NodeJS.Timeout
}

/**
 * One unwrapping serves all who wait for it; then the key is wiped, or kept as the policy allows.
 *
 * @param o.unwrap Gives octets that belong to this function.
 * @param o.policy Absent: nothing is kept.
 */
export function createSecretUse(o: {
  unwrap: (signal: AbortSignal) => Promise<Uint8Array>
  policy: CachePolicy | undefined
  timeoutMs: number
  clock: () => number
}): SecretUse {
  const maxAgeMs = o.policy === undefined ? 0 : (o.policy.maxAgeSeconds ?? 300) * 1000
  const maxUses = o.policy?.maxUses ?? Number.POSITIVE_INFINITY
  let held: Held | undefined
  let flight: { waiters: Waiter[]; controller: AbortController } | undefined

  const drop = (): void => {
    if (held === undefined) return
    clearTimeout(held.timer)
    held.secret.fill(0)
    held = undefined
  }
  const keep = (secret: Uint8Array, sinceMs: number, usesLeft: number): void => {
    const untilMs = sinceMs + maxAgeMs
    const leftMs = untilMs - o.clock()
    if (usesLeft <= 0 || leftMs <= 0) return void secret.fill(0)
    held = { secret, untilMs, usesLeft, timer: setTimeout(drop, leftMs).unref() }
  }

  async function fly(): Promise<void> {
    const current = { waiters: [] as Waiter[], controller: new AbortController() }
    flight = current
    const sinceMs = o.clock()
    try {
      const secret = await withDeadline(o.unwrap, current.controller, o.timeoutMs)
      const isOver = flight !== current // closed meanwhile
      for (const waiter of isOver ? [] : current.waiters) waiter.serve(secret)
      if (isOver) secret.fill(0)
      else keep(secret, sinceMs, maxUses - current.waiters.length)
    } catch (error) {
      for (const waiter of current.waiters) waiter.reject(error)
    } finally {
      if (flight === current) flight = undefined
    }
  }

  return {
    use(work) {
      if (held !== undefined && o.clock() < held.untilMs) {
        held.usesLeft -= 1
        const result = work(held.secret)
        if (held.usesLeft <= 0) drop()
        return Promise.resolve(result)
      }
      drop()
      if (flight === undefined) void fly()
      return new Promise((resolve, reject) => {
        flight?.waiters.push({ serve: (secret) => resolve(work(secret)), reject })
      })
    },
    close() {
      drop()
      flight?.controller.abort()
      flight = undefined
    },
  }
}

/** The KMS may not look at the signal, so its late answer is wiped here. */
async function withDeadline(
  unwrap: (signal: AbortSignal) => Promise<Uint8Array>,
  controller: AbortController,
  timeoutMs: number,
): Promise<Uint8Array> {
  let timer: NodeJS.Timeout | undefined
  let isLate = false
  const deadline = new Promise<never>((_, reject) => {
    const stop = (): void => {
      isLate = true
      reject(new HmacBackendError('ERR_HMAC_TIMEOUT', 'kms: no answer in time'))
    }
    controller.signal.addEventListener('abort', stop, { once: true })
    timer = setTimeout(() => controller.abort(), timeoutMs)
  })
  const unwrapping = unwrap(controller.signal)
  unwrapping.then(
    (secret) => isLate && secret.fill(0),
    () => {},
  )
  try {
    return await Promise.race([unwrapping, deadline])
  } finally {
    clearTimeout(timer)
  }
}
