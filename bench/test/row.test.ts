import { describe, expect, it } from '@jest/globals'
import { interleaved, median, rounded } from '../src/row.ts'

describe('median', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
  ])('of %j is %d', (values, middle) => {
    expect(median(values)).toBe(middle)
  })
})

describe('interleaved', () => {
  it('runs both sides in turns and gives the median of each', async () => {
    const order: string[] = []
    const side = (name: string, values: number[]) => () => {
      order.push(name)
      return Promise.resolve(values.shift()!)
    }
    await expect(interleaved(3, side('a', [1, 9, 2]), side('b', [5, 4, 6]))).resolves.toEqual({
      value: 2,
      against: 5,
      ratio: 1 / 3,
    })
    expect(order.join('')).toBe('ababab')
  })
})

it('rounded keeps as many digits as asked', () => {
  expect([rounded(1.2345), rounded(1.2345, 1)]).toEqual([1.23, 1.2])
})
