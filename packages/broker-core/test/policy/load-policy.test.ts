import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { compilePolicy, loadPolicy } from '../../src/policy/load-policy.ts'
import * as t from './helpers.ts'

const YAML = `
version: 1
aws: { account_id: "111122223333" }
rules:
  - id: reader
    workload:
      image_digests: ["${t.DIGEST}"]
    grant:
      aws: { role_arn: "${t.READER}" }
`
const refusal = (text: string) => {
  try {
    loadPolicy(text, { filename: 'policy.yaml' })
  } catch (e) {
    return e as Error & { code: string; path: string }
  }
  throw new Error('the policy was accepted')
}

describe('loadPolicy', () => {
  it('reads YAML, and identifies it by the hash of its text', () => {
    const policy = loadPolicy(YAML)
    expect(policy.decide(t.input())).toMatchObject({ allow: true, rule: 'reader' })
    expect(policy.version).toBe(createHash('sha256').update(YAML).digest('hex'))
  })
  it('reads JSON', () => {
    expect(loadPolicy(JSON.stringify(t.document(t.rule()))).decide(t.input())).toMatchObject({ allow: true })
  })

  it('P01 denies everything without rules', () => {
    expect(loadPolicy('version: 1\nrules: []').decide(t.input())).toEqual(t.denied('policy.empty'))
  })
  it.each(['', '\n', '# nothing', '---', 'null', '{}', '[]', 'version: 1', 'rules: []'])('P01 refuses %j', (text) => {
    expect(refusal(text)).toMatchObject({ name: 'PolicyError', code: 'ERR_POLICY_INVALID' })
  })

  it('P02 names an unknown key, its place and its file', () => {
    const error = refusal(YAML.replace('image_digests:', 'image_digset:'))
    expect(error).toMatchObject({ code: 'ERR_POLICY_INVALID', path: 'rules[0].workload.image_digset' })
    expect(error.message).toMatch(/^policy\.yaml: rules\[0\]\.workload\.image_digset: /)
  })
  it('P04 names the file for broken syntax', () => {
    const error = refusal(`${YAML}version: 1`)
    expect(error.code).toBe('ERR_POLICY_SYNTAX')
    expect(error.message).toMatch(/^policy\.yaml: line \d+, column \d+: /)
  })
  it('never repeats a value', () => {
    for (const text of [
      YAML.replace(t.DIGEST, 's3cr3t'),
      YAML.replace(t.READER, 's3cr3t'),
      YAML.replace('id: reader', 'id: s3cr3t!'),
      YAML.replace('version: 1', 'version: s3cr3t'),
      YAML.replace('rules:', 'rules: s3cr3t #'),
      `${YAML}    when: 's3cr3t ++ ('`,
      `${YAML}    protocols: [s3cr3t]`,
    ]) {
      expect(refusal(text).message).not.toContain('s3cr3t')
    }
  })
})

describe('compilePolicy', () => {
  it('identifies a document whatever the order of its keys', () => {
    const { version, aws, rules } = t.document(t.rule())
    expect(compilePolicy({ rules, aws, version }).version).toBe(compilePolicy({ version, aws, rules }).version)
    expect(compilePolicy({ version, aws, rules: [] }).version).not.toBe(compilePolicy({ version, aws, rules }).version)
  })
  it('keeps its own copy', () => {
    const document = t.document(t.rule())
    const policy = compilePolicy(document)
    document.rules[0].workload.image_digests[0] = `sha256:${t.hex('9')}`
    document.rules.pop()
    expect(policy.decide(t.input())).toMatchObject({ allow: true })
  })
  it.each([
    ['__proto__', JSON.parse('{"version":1,"rules":[],"__proto__":{"aws":{}}}')],
    ['__proto__ in a mapping', t.document(t.rule({ aws: { tags: JSON.parse('{"__proto__":"x"}') } }))],
    ['constructor', t.document(t.rule({ workload: { env_override: { constructor: 'x' } } }))],
    ['a Map', { version: 1, rules: new Map() }],
    ['a function', { version: 1, rules: () => [] }],
    ['NaN', { version: Number.NaN, rules: [] }],
    ['a class', { version: 1, rules: [], aws: new (class A {})() }],
  ])('P04 refuses %s', (_name, document) => {
    expect(t.refusalOf(document)).toMatchObject({ code: 'ERR_POLICY_INVALID' })
  })
  it('refuses a document that holds itself', () => {
    const document = t.document()
    document.aws = document
    expect(t.refusalOf(document)).toMatchObject({ code: 'ERR_POLICY_INVALID' })
  })
})
