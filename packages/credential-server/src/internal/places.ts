import type { Duplex } from 'node:stream'

/** Connections that were admitted, and how they share what room there is. */
export interface Places {
  /** A new one, silent as yet. It may cost another one its place, or not get one itself. */
  enter(socket: Duplex, user: number | undefined): void
  /** A request came. @returns How many of this connection are under way. */
  begin(socket: Duplex): number
  /** One was answered. */
  end(socket: Duplex): void
  isBusy(socket: Duplex): boolean
  /** Hangs up on those that have no request under way. */
  closeIdle(): void
}

interface Place {
  readonly user: number | undefined
  underWay: number
}

/**
 * When all places are taken, the user who has most of them makes way: with the connection that has been silent for longest, and
 * where none is, with the one whose request is oldest. So nobody can keep another user out, and of one user no request is lost.
 */
export function createPlaces(most: number): Places {
  const idle = new Map<Duplex, Place>() // in the order in which they fell silent
  const busy = new Map<Duplex, Place>() // in the order in which their requests came
  const counts = new Map<number | undefined, number>()

  const leave = (socket: Duplex): void => {
    const place = idle.get(socket) ?? busy.get(socket)
    if (place === undefined) return
    idle.delete(socket)
    busy.delete(socket)
    const count = (counts.get(place.user) ?? 0) - 1
    if (count > 0) counts.set(place.user, count)
    else counts.delete(place.user)
  }

  const makeRoom = (): void => {
    const [heaviest] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))
    for (const [socket, { user }] of [...idle, ...busy]) {
      if (user !== heaviest) continue
      leave(socket)
      socket.destroy()
      return
    }
  }

  return {
    enter: (socket, user) => {
      idle.set(socket, { user, underWay: 0 })
      counts.set(user, (counts.get(user) ?? 0) + 1)
      socket.once('close', () => leave(socket))
      if (idle.size + busy.size > most) makeRoom()
    },
    begin: (socket) => {
      const place = idle.get(socket) ?? busy.get(socket)
      if (place === undefined) return 0
      idle.delete(socket)
      busy.set(socket, place)
      return ++place.underWay
    },
    end: (socket) => {
      const place = busy.get(socket)
      if (place === undefined || --place.underWay > 0) return
      busy.delete(socket)
      idle.set(socket, place)
    },
    isBusy: (socket) => busy.has(socket),
    closeIdle: () => {
      for (const socket of idle.keys()) socket.destroy()
    },
  }
}
