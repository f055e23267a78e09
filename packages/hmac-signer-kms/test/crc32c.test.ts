import { describe, expect, it } from '@jest/globals'
import { crc32c } from '../src/internal/crc32c.ts'

describe('crc32c', () => {
  // RFC 3720, appendix B.4; the RFC writes the octets of the sum in the order of the wire.
  it.each([
    ['32 octets of zeroes', Buffer.alloc(32), 0x8a9136aa],
    ['32 octets of ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
    ['32 octets counting up', Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    ['32 octets counting down', Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
    ['nothing', Buffer.alloc(0), 0],
  ])('%s', (_, octets, expected) => {
    expect(crc32c(octets)).toBe(expected)
  })
})
