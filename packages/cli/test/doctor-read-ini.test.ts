import { describe, expect, it } from '@jest/globals'
import { readIni } from '../src/doctor/read-ini.ts'

describe('readIni', () => {
  it('F13 reads sections, keys and lines: BOM, CRLF, comments, colons, nested keys, empty values', () => {
    const text =
      '\uFEFF[default]\r\nRegion = eu-west-1 # x\r\n# c\r\n; c\r\ns3 =\r\n  max_queue_size = 1\r\n[profile "a b"]\r\nk: v\r\nempty=\r\n'
    expect(readIni(text)).toEqual({
      sections: [
        {
          name: 'default',
          line: 1,
          entries: [
            { key: 'region', value: 'eu-west-1 # x', line: 2 },
            { key: 's3', value: '', line: 5 },
          ],
        },
        {
          name: 'profile "a b"',
          line: 7,
          entries: [
            { key: 'k', value: 'v', line: 8 },
            { key: 'empty', value: '', line: 9 },
          ],
        },
      ],
      badLines: [],
      swallowed: [],
    })
  })

  it('F13 names lines that mean nothing, and those that belong to the one above', () => {
    const { badLines, swallowed } = readIni('region = x\n[a]\nword\nregion = y\n  credential_process = z\n')
    expect({ badLines, swallowed }).toEqual({
      badLines: [1, 3],
      swallowed: [{ key: 'credential_process', line: 5 }],
    })
  })

  it('takes a section whose keys are all indented', () => {
    expect(readIni('[a]\n  region = x\n  output = json\n').sections[0]?.entries).toHaveLength(2)
  })

  it('F15 is done with a line of a million spaces at once', () => {
    expect(readIni(`[a]\nx${' '.repeat(1_000_000)}y\nk = v`)).toMatchObject({
      badLines: [2],
      sections: [{ entries: [{ key: 'k', value: 'v' }] }],
    })
  })
})
