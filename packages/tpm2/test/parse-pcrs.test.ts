import { describe, expect, it } from '@jest/globals'
import { parsePcrs } from '../src/keys.ts'

describe('parsePcrs', () => {
  it.each([
    ['sha256:0,7,23', [{ hash: 'sha256', pcrs: [0, 7, 23] }]],
    ['0,7', [{ hash: 'sha256', pcrs: [0, 7] }]],
    [
      'sha1:4+sha384:14',
      [
        { hash: 'sha1', pcrs: [4] },
        { hash: 'sha384', pcrs: [14] },
      ],
    ],
  ])('reads %s', (text, expected) => {
    expect(parsePcrs(text)).toEqual(expected)
  })
  it.each(['', 'sha256:', 'sha256:24', 'md5:1', '1,1', '1, 2', 'sha256:1+', '-1'])('refuses "%s"', (text) => {
    expect(() => parsePcrs(text)).toThrow(TypeError)
  })
})
