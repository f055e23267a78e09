import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { policyJsonSchema } from '../../src/policy/schema.ts'

const file = new URL('../../schema/policy.schema.json', import.meta.url)

describe('schema/policy.schema.json', () => {
  it('is what the code takes; after a change of it: UPDATE_SCHEMA=1 pnpm test policy/schema', () => {
    const text = `${JSON.stringify(policyJsonSchema(), null, 2)}\n`
    if (process.env.UPDATE_SCHEMA === '1') writeFileSync(file, text)
    expect(readFileSync(file, 'utf8')).toBe(text)
  })
  it('allows no unknown keys', () => {
    const open: string[] = []
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return
      if ('properties' in node && (node as { additionalProperties?: unknown }).additionalProperties !== false)
        open.push(path)
      for (const [key, value] of Object.entries(node)) visit(value, `${path}/${key}`)
    }
    visit(policyJsonSchema(), '')
    expect(open).toEqual([])
  })
})
