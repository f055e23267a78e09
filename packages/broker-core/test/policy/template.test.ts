import { describe, expect, it } from '@jest/globals'
import { compileTemplate } from '../../src/policy/template.ts'

const variables = (assertion: object) => ({
  assertion: assertion as never,
  peer: { address: '192.0.2.7', dns: ['app.example.com'] },
  rule: { id: 'reader' },
})
const fill = (text: string, assertion: object = {}) => compileTemplate(text, 'p').fill(variables(assertion))

describe('compileTemplate', () => {
  it('fills in scalars by path', () => {
    expect(fill('plain')).toBe('plain')
    expect(fill('a/{{assertion.a.b}}/{{ rule.id }}-{{peer.dns.0}}', { a: { b: 'x' } })).toBe(
      'a/x/reader-app.example.com',
    )
    expect(fill('{{assertion.n}}{{assertion.b}}', { n: 7, b: true })).toBe('7true')
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable of AWS
    expect(fill('${aws:username}')).toBe('${aws:username}')
  })

  it.each([
    ['a wildcard', '*'],
    ['a question mark', 'a?'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable of AWS
    ['a policy variable', '${aws:username}'],
    ['a quote', '","Resource":"*'],
    ['a backslash', '\\u002a'],
    ['a line break', 'a\r\nb'],
    ['a line break at the end', 'a\n'],
    ['a space', 'a b'],
    ['a template', '{{rule.id}}'],
    ['a look-alike', 'аpp'],
    ['nothing', ''],
    ['a list', ['a']],
    ['a mapping', { a: 'a' }],
    ['null', null],
  ])('refuses %s for a value', (_name, value) => {
    expect(fill('x{{assertion.v}}', { v: value })).toBeUndefined()
  })

  it('finds nothing that is inherited', () => {
    expect(fill('{{assertion.a}}', Object.create({ a: 'x' }))).toBeUndefined()
  })
  it.each([
    'missing',
    'v.length',
    'list.length',
    'list.01x',
    'constructor',
    'constructor.name',
    '__proto__',
    'v.toString',
    'a.b.c',
  ])('finds nothing at %s', (path) => expect(fill(`{{assertion.${path}}}`, { v: 'x', list: ['x'] })).toBeUndefined())

  it.each([
    '{{',
    '{{assertion.a',
    '{{}}',
    '{{assertion}}',
    '{{request.role_arn}}',
    '{{process.env}}',
    '{{assertion[a]}}',
    '{{{assertion.a}}}',
    '{{assertion.a}} {{',
    '{{a{{rule.id}}',
  ])('does not compile %s', (text) => {
    expect(() => compileTemplate(text, 'p')).toThrow(expect.objectContaining({ code: 'ERR_POLICY_INVALID', path: 'p' }))
  })
})
