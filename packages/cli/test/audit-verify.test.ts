import { readFile } from 'node:fs/promises'
import { createFileAuditSink } from '@hardbound/broker-core'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Folder, hardbound, makeFolder } from './helpers.ts'

let folder: Folder
let file: string
let lines: string[]

beforeAll(async () => {
  folder = await makeFolder()
  file = `${folder.path}/audit.jsonl`
  const sink = await createFileAuditSink({ path: file })
  for (const rule of ['one', 'two', 'three']) await sink.append({ event: 'grant', rule })
  await sink.close()
  lines = (await readFile(file, 'utf8')).trim().split('\n')
})
afterAll(() => folder.remove())

describe('hardbound audit verify', () => {
  it('L09 accepts what a broker wrote', async () => {
    const { code, stdout, stderr } = await hardbound(['audit', 'verify', file])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('3 records, the chain is intact')
    const json = await hardbound(['audit', 'verify', file, '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, records: 3 })
  })

  it.each([
    ['edited', () => [lines[0]!, lines[1]!.replace('two', 'six'), lines[2]!], 2],
    ['deleted', () => [lines[0]!, lines[2]!], 2],
    ['repeated', () => [lines[0]!, lines[0]!, lines[1]!], 2],
    ['moved', () => [lines[1]!, lines[0]!, lines[2]!], 1],
  ])('L09 names the line where one was %s', async (_, make, line) => {
    const copy = await folder.write('copy.jsonl', `${make().join('\n')}\n`)
    const { code, stdout, stderr } = await hardbound(['audit', 'verify', copy])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`line ${line} `)
    const json = await hardbound(['audit', 'verify', copy, '--json'])
    expect({ code: json.code, ...(JSON.parse(json.stdout) as object) }).toMatchObject({ code: 1, ok: false, line })
  })

  it('continues a rotated log', async () => {
    const rest = await folder.write('rest.jsonl', `${lines.slice(1).join('\n')}\n`)
    expect((await hardbound(['audit', 'verify', rest])).code).toBe(1)
    const head = await folder.write('head.jsonl', `${lines[0]}\n`)
    const { lastHash } = JSON.parse((await hardbound(['audit', 'verify', head, '--json'])).stdout) as {
      lastHash: string
    }
    expect((await hardbound(['audit', 'verify', rest, '--prev', lastHash])).code).toBe(0)
    expect((await hardbound(['audit', 'verify', rest, '--prev', 'x'])).code).toBe(2)
  })

  it('names a file that is not there', async () => {
    const { code, stderr } = await hardbound(['audit', 'verify', '/nowhere.jsonl'])
    expect(code).toBe(1)
    expect(stderr).toContain('/nowhere.jsonl does not exist')
  })
})
