import type { JsonObject } from '@hardbound/attestation-verify/strict-json'
import { describe, expect, it } from '@jest/globals'
import { compileCel } from '../../src/policy/cel.ts'
import * as t from './helpers.ts'

const evaluate = (expression: string, assertion?: JsonObject) =>
  compileCel(expression, 'p')(t.input(assertion === undefined ? {} : { assertion }))

describe('compileCel', () => {
  it.each([
    ['assertion.submods.gce.zone.startsWith("europe-")', true],
    ['assertion.submods.gce.zone.startsWith("us-")', false],
    ['assertion.submods.container.args.exists(a, a == "--serve")', true],
    ['assertion["hwmodel"] in ["GCP_AMD_SEV", "GCP_INTEL_TDX"]', true],
    ['int(assertion.swversion[0]) >= 250301', true],
    ['assertion.submods.gce.zone.matches("^europe-(west|north)[0-9]+-[a-z]$")', true],
    ['has(assertion.dbgstat)', false],
    ['request.target == "aws" && !has(request.role_arn) && !has(request.duration_seconds)', true],
    ['peer.address == "192.0.2.7" && "app.example.com" in peer.dns && size(peer.uri) == 1', true],
    ['{"a": 1}["a"] == 1 && [1, 2].map(x, x * 2)[1] == 4', true],
  ])('evaluates %s', (expression, value) => expect(evaluate(expression)).toBe(value))

  it.each([
    'assertion.nope == 1',
    '1 / 0 == 1',
    'assertion.hwmodel > 1',
    'int(assertion.hwmodel) == 1',
    'assertion.swversion[7] == ""',
  ])('has no value where %s can not be evaluated', (expression) => expect(evaluate(expression)).toBeUndefined())

  it.each(['"true"', '1', 'assertion', '[true]', 'assertion.nope == 1', 'false', 'null'])(
    'allows by true alone, not by %s',
    (when) => {
      expect(t.decideOn(t.input(), t.rule({ when }))).toEqual(t.denied('when'))
    },
  )
  it('allows by true', () => {
    expect(t.decideOn(t.input(), t.rule({ when: 'true' }))).toMatchObject({ allow: true })
  })

  it.each([
    ['', 'nothing'],
    ['assertion.', 'half an expression'],
    ['process.env', 'an unknown name'],
    ['constructor', 'a prototype'],
    ['__proto__', 'a prototype'],
    ['toString', 'a prototype'],
    ['claims.hwmodel == "x"', 'a name of another version'],
    ['assertion.hasOwnProperty("hwmodel")', 'an unknown function'],
    ['eval("1")', 'an unknown function'],
    ['assertion.hwmodel.constructor("x")', 'an unknown function'],
    ['google.protobuf.Struct{} == assertion', 'a message'],
    ['[1].all(a, [1].all(b, [1].all(c, true)))', 'three loops'],
    ['[1].map(a, a).map(b, b).all(c, true)', 'a loop over loops'],
    ['[1].all(a, a > 0) && x', 'an unknown name beside a loop'],
    ['[1].all(a, true) && a == 1', 'a loop variable outside'],
    ['assertion.hwmodel.matches(assertion.swname)', 'a pattern from the token'],
    ['assertion.hwmodel.matches("a" + "b")', 'a pattern that is put together'],
    ['matches(assertion.hwmodel, assertion.swname)', 'a pattern from the token'],
    ['assertion.hwmodel.matches("(")', 'a broken pattern'],
    ['assertion.hwmodel.matches("(?=a)")', 'a pattern that is not RE2'],
    ['assertion.hwmodel.matches("((a{1,90}){1,90}){1,90}")', 'a pattern that explodes'],
    [`"${'a'.repeat(4100)}" == ""`, 'more than 4 KiB'],
    [`${'1+'.repeat(600)}1 == 601`, 'too many nodes'],
    [`${'('.repeat(2000)}1${')'.repeat(2000)}`, 'deep nesting'],
    [`${'['.repeat(1500)}${']'.repeat(1500)}`, 'deep nesting'],
    [`${'1+'.repeat(2000)}1`, 'a long chain'],
  ])('does not load %j: %s', (expression) => {
    expect(() => compileCel(expression, 'p')).toThrow(
      expect.objectContaining({ code: 'ERR_POLICY_INVALID', path: 'p' }),
    )
  })
  it('names the rule', () => {
    expect(t.refusalOf(t.document(t.rule({ when: '(' })))).toEqual(t.invalid('rules[0].when'))
  })

  it('reaches no prototype, whatever names a token has', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '$typeName', 'prototype']) {
      expect(evaluate(`has(assertion.${name.replace('$', '')})`)).toBe(false)
      expect(evaluate(`"${name}" in assertion`)).toBe(false)
      expect(evaluate(`assertion["${name}"] != null`)).toBeUndefined()
    }
    // As own names of a token they are plain data, and don't get in the way of others.
    const names =
      '{"__proto__":{"a":1},"constructor":{"name":"Object"},"$typeName":"google.protobuf.StringValue","value":"x"}'
    const hostile = JSON.parse(names) as JsonObject
    expect(evaluate('assertion["__proto__"].a == 1 && assertion["$typeName"].startsWith("google")', hostile)).toBe(true)
    expect(evaluate('assertion.constructor.name == "Object" && size(assertion) == 4', hostile)).toBe(true)
    expect(evaluate('has(assertion.a)', hostile)).toBe(false)
    const bare = Object.assign(Object.create(null) as JsonObject, { a: 1 })
    expect(evaluate('assertion.a == 1', bare)).toBe(true)
  })

  it('bounds the work: a large list under two loops has no value', () => {
    const list = (length: number): JsonObject => ({ list: Array.from({ length }, () => 'x') })
    const squared = 'assertion.list.all(a, assertion.list.all(b, a == b))'
    expect(evaluate(squared, list(50))).toBe(true)
    expect(evaluate(squared, list(4000))).toBeUndefined()
    expect(evaluate('assertion.list.all(a, a == "x")', list(4000))).toBe(true)
    expect(evaluate('assertion.list.all(a, a.matches("^x$"))', list(20))).toBe(true)
    expect(evaluate('assertion.list.all(a, a.matches("^x$"))', list(200))).toBeUndefined()
  })
  it('bounds the work: regular expressions take linear time, and texts of 1,024 characters', () => {
    const hostile = { text: `${'a'.repeat(1000)}!` }
    expect(evaluate('assertion.text.matches("^(a+)+$")', hostile)).toBe(false)
    expect(evaluate('assertion.text.matches("^(a|aa)*$")', hostile)).toBe(false)
    expect(evaluate('assertion.text.matches("a")', { text: 'a'.repeat(1025) })).toBeUndefined()
  })
})
