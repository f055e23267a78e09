import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createPrimary, flushContext, hmac } from '../src/commands.ts'
import { openTpm, openTransport, type Tpm, type TpmTransport } from '../src/index.ts'
import { AuthSession } from '../src/internal/auth-session.ts'
import { prepareCommand } from '../src/internal/prepare-command.ts'
import { startHmacSession } from '../src/sessions.ts'
import { type Bench, hex, loadHmacKey, SECRET, startBench } from './helpers.ts'

const PASSWORD = Buffer.from('correct horse')
const KEY = { handle: 0x81010001, name: new Uint8Array(34) }

let bench: Bench
let transport: TpmTransport
/** Commands as the transport got them: what the package wrote on, not copies. */
const sent: Uint8Array[] = []
let tpm: Tpm
beforeAll(async () => {
  bench = await startBench()
  transport = await openTransport(bench.proxy.address)
  const { transmit } = transport
  Object.assign(transport, {
    transmit: (command: Uint8Array, options: { signal: AbortSignal }) => {
      sent.push(command)
      return transmit(command, options)
    },
  })
  tpm = await openTpm({ transport })
})
afterAll(async () => {
  await tpm.close()
  await bench.stop()
})

const zeros = (octets: Uint8Array): string => '00'.repeat(octets.length)
/** All arrays of octets that were made during a work, and held this then. */
async function madeWith(secret: Uint8Array, work: () => unknown): Promise<Uint8Array[]> {
  const made: Uint8Array[] = []
  const original = Uint8Array.prototype.set
  Uint8Array.prototype.set = function (this: Uint8Array, source: ArrayLike<number>, at?: number) {
    original.call(this, source, at)
    if (Buffer.from(this.buffer, this.byteOffset, this.byteLength).includes(Buffer.from(secret))) made.push(this)
  }
  try {
    await work()
  } finally {
    Uint8Array.prototype.set = original
  }
  return made
}

describe('M17 what is wiped', () => {
  it('a command, when it was sent', async () => {
    sent.length = 0
    await tpm.exclusively(async (alone) => {
      const { key } = await loadHmacKey(alone, { userAuth: PASSWORD })
      await hmac(alone, { key, message: SECRET, auth: { password: PASSWORD } })
    })
    expect(sent.length).toBeGreaterThan(4)
    for (const command of sent) expect(hex(command)).toBe(zeros(command))
  })

  it('every copy of a password or parameter that preparing a command makes', async () => {
    const session = new AuthSession({
      handle: 0x02000000,
      kind: 'hmac',
      hash: 'sha256',
      cipher: undefined,
      sessionKey: new Uint8Array(32),
      nonceTpm: new Uint8Array(32),
      bound: undefined,
      connection: 1,
    })
    for (const [secret, auth] of [
      [SECRET, session],
      [SECRET, { password: PASSWORD }],
      [PASSWORD, { password: PASSWORD }],
      [PASSWORD, { session, authValue: PASSWORD }],
    ] as const) {
      const parameters = new Uint8Array([0, SECRET.length, ...SECRET, 0, 0x0b])
      let bytes = new Uint8Array()
      const made = await madeWith(secret, () => {
        bytes = prepareCommand({ command: 'TPM2_HMAC', handles: [KEY], auths: [auth], parameters })
          .bytes as typeof bytes
      })
      expect(made.length).toBeGreaterThan(0)
      for (const copy of [parameters, ...made]) if (copy !== bytes) expect(hex(copy)).toBe(zeros(copy))
    }
  })

  it('parameters that are never sent', async () => {
    const closed = await bench.open()
    await closed.close()
    const [object, elsewhere] = [
      { ...KEY, handle: 0x80000000 },
      { ...KEY, handle: 0x80000000, connection: 99 },
    ]
    for (const [on, handles] of [
      [tpm, [0x80000000]], // an object without a name
      [tpm, []],
      [tpm, [elsewhere]],
      [closed, [object]],
    ] as const) {
      const parameters = Uint8Array.of(0, 2, 1, 2, 0, 0x0b)
      await expect(on.execute({ command: 'TPM2_HMAC', handles, parameters })).rejects.toThrow()
      expect(hex(parameters)).toBe(zeros(parameters))
    }
    const parameters = Uint8Array.of(0, 2, 1, 2, 0, 0x0b)
    const aborted = tpm.execute(
      { command: 'TPM2_HMAC', handles: [object], parameters },
      { signal: AbortSignal.abort() },
    )
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_TPM_ABORTED' })
    expect(hex(parameters)).toBe(zeros(parameters))
  })

  it.each(['flushed', 'left behind'])('the secrets of a session that was %s', async (end) => {
    const ours = await tpm.exclusively(async (alone) => {
      const salt = await createPrimary(alone, { hierarchy: 'owner', template: 'h2-ecc', userAuth: PASSWORD })
      const session = await startHmacSession(alone, { salt, bind: { object: salt, authValue: PASSWORD } })
      const it = { session: session as AuthSession, name: salt.name }
      expect(secretsOf(it)).toEqual({ sessionKey: expect.not.stringMatching(/^0+$/), knowsPassword: true })
      if (end === 'flushed') {
        await flushContext(alone, session)
        expect(secretsOf(it)).toEqual({ sessionKey: '00'.repeat(32), knowsPassword: false })
      }
      return it
    })
    expect(secretsOf(ours)).toEqual({ sessionKey: '00'.repeat(32), knowsPassword: false })
    expect(PASSWORD.toString()).toBe('correct horse') // the caller's own is his
  })

  it('an answer, but not the tag that was in it, also where the transport gives a Buffer', async () => {
    const buffers = {
      ...transport,
      transmit: async (...it: Parameters<TpmTransport['transmit']>) => Buffer.from(await transport.transmit(...it)),
    }
    const other = await openTpm({ transport: { ...buffers, close: () => Promise.resolve() } })
    const tag = await other.exclusively(async (alone) =>
      hmac(alone, { ...(await loadHmacKey(alone)), message: SECRET }),
    )
    expect(hex(tag)).toBe(createHmac('sha256', SECRET).update(SECRET).digest('hex'))
    await other.close()
  })
})

function secretsOf({ session, name }: { session: AuthSession; name: Uint8Array }) {
  const sessionKey = hex(session.sessionValue(new Uint8Array()))
  // The password goes into the HMAC's key but for the object that the session is bound to, with the same password.
  return { sessionKey, knowsPassword: session.hmacKey({ name, authValue: PASSWORD }).length === 32 }
}
