import { describe, expect, it } from '@jest/globals'
import { checkProcess, type ProcessFacts } from '../src/internal/startup-checks.ts'

const GOOD: ProcessFacts = {
  env: { PATH: '/bin', NODE_TLS_REJECT_UNAUTHORIZED: '1', NODE_OPTIONS: '' },
  execArgv: ['--max-old-space-size=256'],
  inspectorUrl: undefined,
  nodeVersion: '24.1.0',
  now: Date.parse('2026-11-22'),
}

describe('checkProcess', () => {
  it('lets an ordinary process start', () => {
    expect(checkProcess(GOOD)).toEqual({ problems: [], warnings: [] })
  })

  it.each<[string, Partial<ProcessFacts>, string]>([
    ['T17 checks turned off', { env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } }, 'NODE_TLS_REJECT_UNAUTHORIZED'],
    ['T17 more authorities', { env: { NODE_EXTRA_CA_CERTS: '/tmp/hunter2' } }, 'NODE_EXTRA_CA_CERTS'],
    ['T17 a key log by variable', { env: { SSLKEYLOGFILE: '/tmp/hunter2' } }, 'SSLKEYLOGFILE'],
    ['T17 a key log by flag', { execArgv: ['--tls-keylog=/tmp/hunter2'] }, '--tls-keylog'],
    ['R10 options from outside', { env: { NODE_OPTIONS: '--require hunter2' } }, 'NODE_OPTIONS'],
    ['R10 an inspector by flag', { execArgv: ['--inspect-brk'] }, 'inspector'],
    ['R10 an open inspector', { inspectorUrl: 'ws://127.0.0.1:9229/hunter2' }, 'inspector'],
  ])('refuses %s, without its value', (_, changes, named) => {
    const { problems } = checkProcess({ ...GOOD, ...changes })
    expect(problems).toEqual([expect.stringContaining(named)])
    expect(problems[0]).not.toContain('hunter2')
  })

  it('R10 warns of a Node past its end of life, and only warns', () => {
    expect(checkProcess({ ...GOOD, nodeVersion: '20.20.2' })).toEqual({
      problems: [],
      warnings: [expect.stringContaining('20.20.2')],
    })
    expect(checkProcess({ ...GOOD, nodeVersion: '20.20.2', now: Date.parse('2026-04-29') }).warnings).toEqual([])
  })
})
