import { Duplex } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { createPlaces, type Places } from '../src/internal/places.ts'

const OURS = 1000
const THEIRS = 1001

function enter(places: Places, count: number, user: number, isBusy = false): Duplex[] {
  return Array.from({ length: count }, () => {
    const socket = new Duplex()
    places.enter(socket, user)
    if (isBusy) places.begin(socket)
    return socket
  })
}
const alive = (sockets: Duplex[]): boolean[] => sockets.map((it) => !it.destroyed)

describe('createPlaces', () => {
  it('hangs up on whoever has been silent for longest', () => {
    const places = createPlaces(3)
    const sockets = enter(places, 3, OURS)
    places.begin(sockets[0]!)
    places.end(sockets[0]!)
    sockets.push(...enter(places, 1, OURS))
    expect(alive(sockets)).toEqual([true, false, true, true])
  })

  it('gives no place of a request under way to another of the same user', () => {
    const places = createPlaces(3)
    const sockets = [...enter(places, 3, OURS, true), ...enter(places, 1, OURS)]
    expect(alive(sockets)).toEqual([true, true, true, false])
    places.end(sockets[1]!)
    expect(alive([...sockets, ...enter(places, 1, OURS)])).toEqual([true, false, true, false, true])
  })

  it('I13 lets no user take the places of another, silent or busy', () => {
    for (const isBusy of [false, true]) {
      const places = createPlaces(8)
      const ours = enter(places, 3, OURS)
      const theirs = enter(places, 50, THEIRS, isBusy)
      expect(alive(ours)).toEqual([true, true, true])
      const more = enter(places, 1, OURS)
      expect(alive(more)).toEqual([true])
      expect(alive(theirs).filter(Boolean)).toHaveLength(4)
    }
  })

  it('counts a connection as busy until its last request was answered', () => {
    const places = createPlaces(2)
    const [socket] = enter(places, 1, OURS) as [Duplex]
    expect([places.begin(socket), places.begin(socket), places.begin(new Duplex())]).toEqual([1, 2, 0])
    places.end(socket)
    expect(places.isBusy(socket)).toBe(true)
    places.end(socket)
    expect(places.isBusy(socket)).toBe(false)
    places.end(socket)
    places.closeIdle()
    expect(socket.destroyed).toBe(true)
  })

  it('forgets what is closed', async () => {
    const places = createPlaces(2)
    for (const socket of enter(places, 2, THEIRS)) {
      socket.destroy()
      await new Promise((resolve) => socket.once('close', resolve))
    }
    expect(alive(enter(places, 2, OURS))).toEqual([true, true])
  })
})
