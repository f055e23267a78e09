import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  createPrimary,
  flushContext,
  getCapability,
  hmac,
  hmacSequence,
  policyOr,
  policyPcr,
  readPublic,
  tpmProperty,
} from '../src/commands.ts'
import { openTpm, openTransport, type Tpm, Tpm2Error, type TpmTransport } from '../src/index.ts'
import { startHmacSession, startPolicySession, trialPolicy } from '../src/sessions.ts'
import { type Bench, hex, loadHmacKey, SECRET, startBench } from './helpers.ts'

let bench: Bench
beforeEach(async () => {
  bench = await startBench()
})
afterEach(() => bench.stop())

const message = Buffer.from('20260822')
const TAG = createHmac('sha256', SECRET).update(message).digest('hex')
const once = (tpm: Tpm): Promise<string> =>
  tpm.exclusively(async (alone) => hex(await hmac(alone, { ...(await loadHmacKey(alone)), message })))

/** Handles of transient objects and of sessions that are in the TPM. */
async function handles(tpm: Tpm): Promise<number[]> {
  const found: number[] = []
  for (const from of [0x80000000, 0x02000000, 0x03000000]) {
    found.push(...(await getCapability(tpm, { capability: 'handles', from })).map(({ id }) => id))
  }
  return found
}

const CC = { hmac: 0x155, update: 0x15c, complete: 0x13e, policyPcr: 0x17f, policyOr: 0x171, getCapability: 0x17a }
const rc = (code: number): Uint8Array => {
  const answer = Buffer.from('80010000000a00000000', 'hex')
  answer.writeUInt32BE(code, 6)
  return answer
}

/** A TPM that says it has so many stale handles of each kind, and takes its time. Refuses one command for want of room. */
function listing(count: number, pause: number) {
  return {
    description: 'a test',
    hasResourceManager: false,
    isClosed: false,
    commands: 0,
    pause,
    refuse: 0,
    async transmit(command: Uint8Array): Promise<Uint8Array> {
      this.commands++
      const [view, done] = [Buffer.from(command), Buffer.from('80010000000a00000000', 'hex')]
      if (this.pause > 0) await new Promise((resolve) => setTimeout(resolve, this.pause))
      if (view.readUInt32BE(6) === this.refuse) return rc(0x902)
      if (view.readUInt32BE(6) !== CC.getCapability) return done
      const [capability, from] = [view.readUInt32BE(10), view.readUInt32BE(14)]
      const list = capability === 6 ? [from, 1] : Array.from({ length: count }, (_, at) => from + at)
      const words = [capability, capability === 6 ? 1 : count, ...list].map((it) => it.toString(16).padStart(8, '0'))
      const answer = Buffer.concat([done, Buffer.from(`00${words.join('')}`, 'hex')])
      answer.writeUInt32BE(answer.length, 2)
      return answer
    },
    async close(): Promise<void> {
      this.isClosed = true
    },
  }
}

describe('openTpm', () => {
  it.each([
    ['TPM_RC_RETRY', 0x922],
    ['TPM_RC_YIELDED', 0x908],
    ['TPM_RC_TESTING', 0x90a],
    ['TPM_RC_NV_RATE', 0x920],
  ])('M05 repeats a command on %s: once, ten times, and no more', async (name, code) => {
    await once(bench.tpm) // libtpms itself wants a retry of the first HMAC
    for (const times of code === 0x922 ? [1, 10, Number.POSITIVE_INFINITY] : [1]) {
      let left = times
      bench.proxy.fault = ({ commandCode }) =>
        commandCode === CC.hmac && left-- > 0 ? { answer: rc(code) } : undefined
      const before = bench.proxy.exchanges.length
      const started = performance.now()
      const done = once(bench.tpm)
      if (Number.isFinite(times)) expect(await done).toBe(TAG)
      else
        await expect(done).rejects.toMatchObject({
          code: 'ERR_TPM_BUSY',
          rc: code,
          message: `TPM2_HMAC: ${name} (0x${code.toString(16)})`,
        })
      expect(performance.now() - started).toBeLessThan(5_000)
      const sent = bench.proxy.exchanges.slice(before).filter((it) => it.commandCode === CC.hmac)
      expect(sent).toHaveLength(Math.min(times, 10) + 1)
    }
  })

  it('M05 stops repeating when the caller does', async () => {
    bench.proxy.fault = ({ commandCode }) => (commandCode === CC.hmac ? { answer: rc(0x922) } : undefined)
    const controller = new AbortController()
    const done = bench.tpm.exclusively(async (tpm) => hmac(tpm, { ...(await loadHmacKey(tpm)), message }), {
      signal: controller.signal,
    })
    setTimeout(() => controller.abort(), 50)
    await expect(done).rejects.toMatchObject({ code: 'ERR_TPM_ABORTED' })
    const sent = bench.proxy.exchanges.length
    bench.proxy.fault = () => undefined
    expect(await handles(bench.tpm)).toEqual([])
    // Three flushes and three lists; at most one more try.
    expect(bench.proxy.exchanges.length - sent).toBeLessThanOrEqual(7)
  })

  it('M02 recovers when the TPM was killed in the middle of a command', async () => {
    const connection = bench.tpm.connection
    bench.proxy.fault = ({ commandCode }) => (commandCode === CC.hmac ? { drop: 'after' } : undefined)
    await expect(once(bench.tpm)).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    bench.proxy.fault = () => undefined
    await bench.swtpm.kill()
    await expect(once(bench.tpm)).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    await bench.swtpm.restart()
    expect(await once(bench.tpm)).toBe(TAG)
    expect(bench.tpm.connection).toBeGreaterThan(connection)
    expect(await handles(bench.tpm)).toEqual([])
  })

  it('M02 recovers without a proxy between, as well', async () => {
    const tpm = await openTpm({ transport: () => openTransport(bench.swtpm.address) })
    const busy = tpm.exclusively(async (alone) => {
      for (;;)
        await createPrimary(alone, { hierarchy: 'null', template: 'h1-rsa' }).then((it) => flushContext(alone, it))
    })
    const failed = expect(busy).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    await bench.swtpm.kill()
    await failed
    await bench.swtpm.restart()
    expect(await once(tpm)).toBe(TAG)
    await tpm.close()
  })

  it('M02 never repeats a command whose connection broke, and keeps no object over it', async () => {
    const key = await createPrimary(bench.tpm, { hierarchy: 'owner', template: 'h2-ecc' })
    const session = await startHmacSession(bench.tpm, { salt: key })
    const before = bench.proxy.exchanges.length
    bench.proxy.fault = () => ({ drop: 'before' })
    await expect(readPublic(bench.tpm, { handle: key })).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    expect(bench.proxy.exchanges).toHaveLength(before + 1)
    bench.proxy.fault = () => undefined
    for (const stale of [
      readPublic(bench.tpm, { handle: key }),
      readPublic(bench.tpm, { handle: 0x81000001, sessions: [session] }),
    ]) {
      await expect(stale).rejects.toMatchObject({ code: 'ERR_TPM_CLOSED' })
    }
    await flushContext(bench.tpm, key) // has gone already
    expect(await handles(bench.tpm)).toEqual([])
  })

  it('gives up a connection whose answer comes too late, so that it is nobody else’s', async () => {
    const tpm = await bench.open({ commandTimeoutMs: 1_000 })
    let late = true
    bench.proxy.fault = ({ commandCode }) => {
      if (commandCode !== CC.getCapability || !late) return undefined
      late = false
      return { response: (it) => new Promise((resolve) => setTimeout(resolve, 2_500, it)) }
    }
    await expect(tpmProperty(tpm, 'inputBuffer')).rejects.toMatchObject({ code: 'ERR_TPM_TIMEOUT' })
    await expect(tpmProperty(tpm, 'manufacturer')).rejects.toMatchObject({ code: 'ERR_TPM_TIMEOUT' })
    bench.proxy.fault = () => undefined
    const patient = await bench.open()
    expect(await tpmProperty(patient, 'inputBuffer')).toBe(1024)
    expect(await tpmProperty(patient, 'manufacturer')).toBe(0x49424d00) // IBM, who wrote libtpms
    await tpm.close()
    await patient.close()
  })

  it('M06 flushes what a client that died has left, and goes on', async () => {
    for (let round = 0; round < 10; round++) {
      // A client that starts three objects and three sessions, and never comes back.
      const dying = await openTransport(bench.swtpm.address)
      const leaving = await openTpm({
        transport: { ...dying, transmit: dying.transmit, close: () => Promise.resolve() },
      })
      await loadHmacKey(leaving)
      await startPolicySession(leaving)
      await startHmacSession(leaving)
      const hmacStart = leaving.execute({
        command: 'TPM2_HMAC_Start',
        handles: [{ handle: 0x80000001, name: new Uint8Array() }],
        parameters: Uint8Array.of(0, 0, 0, 0x0b),
      })
      expect((await hmacStart).handle).toBeGreaterThan(0x80000000)
      await dying.close()
      const next = await bench.open()
      expect(await once(next)).toBe(TAG)
      expect(await handles(next)).toEqual([])
      await next.close()
    }
  })

  it('M06 makes room once where others have taken all slots, else says so', async () => {
    const other = await openTransport(bench.proxy.address)
    const tpm = await bench.open()
    await tpm.exclusively(async (alone) => {
      await createPrimary(alone, { hierarchy: 'owner', template: 'h2-ecc' })
      const { command } = bench.proxy.exchanges.find((it) => it.commandCode === 0x131)!
      const { signal } = new AbortController()
      for (let slot = 0; slot < 2; slot++) await other.transmit(command, { signal })
      // Full: ours and two of another client.
      await createPrimary(alone, { hierarchy: 'owner', template: 'h2-ecc' })
      await createPrimary(alone, { hierarchy: 'owner', template: 'h2-ecc' })
      expect(await handles(alone)).toHaveLength(3)
      const full = createPrimary(alone, { hierarchy: 'owner', template: 'h2-ecc' })
      await expect(full).rejects.toMatchObject({ code: 'ERR_TPM_SLOTS', rc: 0x902 })
    })
    for (let at = 0; at < 4; at++) {
      const started = tpm.exclusively(async (alone) => {
        for (let slot = 0; slot <= 3; slot++) await startPolicySession(alone)
      })
      await expect(started).rejects.toMatchObject({ code: 'ERR_TPM_SLOTS', rc: 0x903 })
    }
    expect(await handles(tpm)).toEqual([])
    await other.close()
    await tpm.close()
  })

  it.each([
    ['TPM2_SequenceUpdate', CC.update],
    ['TPM2_SequenceComplete', CC.complete],
    ['TPM2_PolicyPCR', CC.policyPcr],
    ['TPM2_PolicyOR', CC.policyOr],
  ])('M07 flushes all when %s fails', async (_, code) => {
    const branches = [trialPolicy().digest, trialPolicy().authValue().digest]
    const work = (): Promise<unknown> =>
      bench.tpm.exclusively(async (tpm) => {
        const { key } = await loadHmacKey(tpm)
        const session = await startPolicySession(tpm)
        await policyPcr(tpm, { session, selections: [] })
        await policyOr(tpm, { session, branches: [...branches, trialPolicy().pcr([], []).digest] })
        await flushContext(tpm, session)
        return hmacSequence(tpm, { key, message: new Uint8Array(3_000) })
      })
    expect(await work()).toHaveLength(32)
    bench.proxy.fault = ({ commandCode }) => (commandCode === code ? { answer: rc(0x101) } : undefined)
    await expect(work()).rejects.toMatchObject({ code: 'ERR_TPM_RC', rc: 0x101 })
    bench.proxy.fault = ({ commandCode }) => (commandCode === code ? { drop: 'after' } : undefined)
    await expect(work()).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    bench.proxy.fault = () => undefined
    expect(await handles(bench.tpm)).toEqual([])
  })

  it('M08 lets 64 callers have their turn, 10 works each, and leaves nothing', async () => {
    const tags = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const mine: string[] = []
        for (let turn = 0; turn < 10; turn++) mine.push(await once(bench.tpm))
        return mine
      }),
    )
    expect(new Set(tags.flat())).toEqual(new Set([TAG]))
    expect(await handles(bench.tpm)).toEqual([])
  })

  it('gives an exclusive work the TPM alone, and nests', async () => {
    const order: string[] = []
    const [a] = await Promise.all([
      bench.tpm.exclusively(async (tpm) => {
        order.push('a')
        const inner = await tpm.exclusively(async (deeper) =>
          createPrimary(deeper, { hierarchy: 'owner', template: 'h2-ecc' }),
        )
        await expect(readPublic(tpm, { handle: inner })).rejects.toMatchObject({ code: 'ERR_TPM_RC' })
        order.push('a')
        return tpm
      }),
      bench.tpm.exclusively(async () => void order.push('b')),
      tpmProperty(bench.tpm, 'inputBuffer').then(() => order.push('c')),
    ])
    expect(order).toEqual(['a', 'a', 'b', 'c'])
    await expect(tpmProperty(a, 'inputBuffer')).rejects.toMatchObject({ code: 'ERR_TPM_CLOSED' })
  })

  it('lets a caller leave the queue, or a command, without harm to others', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const aborted = [
      createPrimary(bench.tpm, { hierarchy: 'owner', template: 'h1-rsa' }, { signal }),
      createPrimary(bench.tpm, { hierarchy: 'owner', template: 'h2-ecc' }, { signal }),
    ].map((it) => expect(it).rejects.toMatchObject({ code: 'ERR_TPM_ABORTED' }))
    const other = once(bench.tpm)
    await new Promise(setImmediate)
    controller.abort()
    await Promise.all(aborted)
    expect(await other).toBe(TAG)
    expect(await handles(bench.tpm)).toEqual([])
    expect(bench.tpm.connection).toBe(1)
  })

  it('keeps what was made outside of exclusive work until close()', async () => {
    const tpm = await bench.open()
    await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
    expect(await once(tpm)).toBe(TAG)
    expect(await handles(tpm)).toHaveLength(1)
    await Promise.all([tpm.close(), tpm.close()])
    expect(bench.proxy.exchanges.at(-1)!.commandCode).toBe(0x165)
    await expect(tpmProperty(tpm, 'inputBuffer')).rejects.toMatchObject({ code: 'ERR_TPM_CLOSED' })
  })

  it('does not find its way back when it was given a transport, not a function', async () => {
    const tpm = await bench.open({ transport: await openTransport(bench.proxy.address) })
    bench.proxy.fault = () => ({ drop: 'before' })
    await expect(once(tpm)).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    bench.proxy.fault = () => undefined
    await expect(once(tpm)).rejects.toMatchObject({ code: 'ERR_TPM_UNREACHABLE' })
    await tpm.close()
  })

  it('starts a TPM that nobody has started', async () => {
    let initialized = false
    bench.proxy.fault = ({ commandCode }) => {
      if (commandCode === 0x144) initialized = true
      return commandCode === 0x144 ? { answer: rc(0) } : initialized ? undefined : { answer: rc(0x100) }
    }
    const tpm = await bench.open()
    expect(initialized).toBe(true)
    await tpm.close()
  })

  it('M06 a TPM that has no room for anything is asked once more, not for ever', async () => {
    bench.proxy.fault = () => ({ answer: rc(0x902) })
    const before = bench.proxy.exchanges.length
    await expect(bench.open()).rejects.toMatchObject({ code: 'ERR_TPM_SLOTS', rc: 0x902 })
    await expect(createPrimary(bench.tpm, { hierarchy: 'owner', template: 'h2-ecc' })).rejects.toMatchObject({
      rc: 0x902,
    })
    expect(bench.proxy.exchanges.length - before).toBe(4) // each command, and the list of what could be flushed
  })

  it('M06 is not kept busy by long lists of stale handles', async () => {
    const started = performance.now()
    await expect(openTpm({ transport: listing(1_000, 0) })).rejects.toMatchObject({ code: 'ERR_TPM_RESPONSE' })
    const slow = listing(64, 200)
    const opening = openTpm({ transport: slow, openTimeoutMs: 500 })
    await expect(opening).rejects.toMatchObject({ code: 'ERR_TPM_TIMEOUT' })
    expect(performance.now() - started).toBeLessThan(2_000)
    expect(slow.isClosed).toBe(true)
    expect(slow.commands).toBeLessThanOrEqual(3)
  })

  it('M06 stops making room when a command’s time is over', async () => {
    const slow = listing(64, 0)
    const tpm = await openTpm({ transport: slow, commandTimeoutMs: 300 })
    slow.pause = 100
    slow.refuse = 0x131
    slow.commands = 0
    await expect(createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })).rejects.toMatchObject({ rc: 0x902 })
    expect(slow.commands).toBeLessThanOrEqual(9)
    await tpm.close()
  })

  it('gives up a transport that does not open in time, and closes it when it does', async () => {
    let open = (_: TpmTransport): void => {}
    const opening = openTpm({ transport: () => new Promise((resolve) => (open = resolve)), openTimeoutMs: 50 })
    await expect(opening).rejects.toMatchObject({ code: 'ERR_TPM_TIMEOUT' })
    const late = listing(0, 0)
    open(late)
    await new Promise(setImmediate)
    expect(late).toMatchObject({ isClosed: true, commands: 0 })
  })

  it('refuses settings that can not be, and what does not answer as a TPM', async () => {
    await expect(bench.open({ commandTimeoutMs: 0 })).rejects.toThrow(RangeError)
    await expect(bench.open({ maxRetries: 11 })).rejects.toThrow(RangeError)
    await expect(bench.open({ openTimeoutMs: 0 })).rejects.toThrow(RangeError)
    bench.proxy.fault = () => ({ answer: Buffer.from('HTTP/1.1 400 Bad Request') })
    const error = await bench.open().catch((e: unknown) => e)
    expect(error).toBeInstanceOf(Tpm2Error)
    expect(error).toMatchObject({ code: 'ERR_TPM_RESPONSE' })
  })
})
