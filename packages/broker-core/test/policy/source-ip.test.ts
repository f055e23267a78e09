import { describe, expect, it } from '@jest/globals'
import { sourceIpProblem } from '../../src/policy/source-ip.ts'

describe('sourceIpProblem', () => {
  it.each(['203.0.113.0/24', '203.0.113.7', '8.8.8.8/32', '2001:db8::/32', '2600:1f00::/24', '2600::1'])(
    'P19 takes %s',
    (network) => expect(sourceIpProblem(network)).toBeUndefined(),
  )
  it.each([
    '10.0.0.0/8',
    '10.1.2.3',
    '172.16.0.0/12',
    '172.31.255.255',
    '192.168.1.0/24',
    '127.0.0.1',
    '169.254.169.254',
    '100.64.0.0/10',
    '168.0.0.0/5', // holds private networks
    '0.0.0.0/0',
    '224.0.0.0/4',
    '255.255.255.255',
    '::1',
    'fc00::/7',
    'fe80::1',
    'fe80::1%eth0',
    '2600::1%eth0',
    '::ffff:203.0.113.7',
    '::/0',
    '2000::/2',
    '203.0.113.0/33',
    '203.0.113.0/',
    '203.0.113.0/024',
    '203.0.113.0/24/24',
    '203.0.113',
    '203.0.113.0/-1',
    '*',
    'example.com',
    '',
  ])('P19 refuses %j', (network) => expect(sourceIpProblem(network)).toBeDefined())
})
