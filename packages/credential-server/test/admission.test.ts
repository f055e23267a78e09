import type { Socket } from 'node:net'
import { describe, expect, it, jest } from '@jest/globals'
import { createAdmission } from '../src/internal/admission.ts'
import type { PeerLookup } from '../src/internal/peer-uid.ts'

const uids = new Set([1000])
const socketOf = (remoteAddress?: string): Socket =>
  ({ remoteAddress, remotePort: 40_000, localAddress: remoteAddress, localPort: 9911 }) as Socket
const found = (uid: number | undefined) => jest.fn<PeerLookup>(async () => uid)

describe('createAdmission', () => {
  it.each([undefined, 0, 1001])('I20 admits nobody when the user is %p', async (uid) => {
    const { admit, userOf } = createAdmission({ uids, lookup: found(uid) })
    const socket = socketOf('127.0.0.1')
    expect(await admit(socket)).toMatchObject({ status: 403, reason: 'peer' })
    expect(userOf(socket)).toBe(uid)
  })

  it('I20 admits who is listed, and remembers who it is', async () => {
    const { admit, userOf } = createAdmission({ uids, lookup: found(1000) })
    const socket = socketOf('127.0.0.1')
    expect(await admit(socket)).toBeUndefined()
    expect(userOf(socket)).toBe(1000)
    expect(userOf(socketOf('127.0.0.1'))).toBeUndefined()
  })

  it('I20 admits nobody when the look-up fails, or the client is gone', async () => {
    const lookup = jest.fn<PeerLookup>(async () => Promise.reject(new Error('EIO')))
    const { admit } = createAdmission({ uids, lookup })
    expect(await admit(socketOf('127.0.0.1'))).toMatchObject({ status: 500, reason: 'internal' })
    expect(await admit(socketOf())).toMatchObject({ status: 403 })
    expect(lookup).toHaveBeenCalledTimes(1)
  })

  it.each(['10.0.0.5', 'fe80::1', 'fd00::2', '::', '::ffff:10.0.0.5', '1127.0.0.1', '2001:db8::127.0.0.1'])(
    'I20 I21 admits nobody from %s, whoever it is',
    async (address) => {
      const lookup = found(1000)
      expect(await createAdmission({ uids, lookup }).admit(socketOf(address))).toMatchObject({ status: 403 })
      expect(lookup).not.toHaveBeenCalled()
      expect(await createAdmission({ uids: undefined, lookup }).admit(socketOf(address))).toMatchObject({ status: 403 })
    },
  )

  it('admits all who are local where users are not told apart', async () => {
    const { admit } = createAdmission({ uids: undefined, lookup: found(7) })
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', undefined]) {
      expect(await admit(socketOf(address))).toBeUndefined()
    }
  })
})
