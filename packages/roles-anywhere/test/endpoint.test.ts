import { describe, expect, it } from '@jest/globals'
import { type RolesAnywhereEndpointInit, rolesAnywhereEndpoint } from '../src/endpoint.ts'

const at = (init: RolesAnywhereEndpointInit, region = 'us-east-1') => {
  const { origin, path, region: scope } = rolesAnywhereEndpoint(init, region)
  return `${origin.origin}${path} ${scope}`
}

describe('rolesAnywhereEndpoint', () => {
  it.each<[string, RolesAnywhereEndpointInit, string]>([
    ['us-east-1', {}, 'rolesanywhere.us-east-1.amazonaws.com/sessions us-east-1'],
    ['mx-central-1', {}, 'rolesanywhere.mx-central-1.amazonaws.com/sessions mx-central-1'],
    ['us-east-1', { region: 'eu-west-1' }, 'rolesanywhere.eu-west-1.amazonaws.com/sessions eu-west-1'],
    ['cn-north-1', {}, 'rolesanywhere.cn-north-1.amazonaws.com.cn/sessions cn-north-1'],
    ['us-gov-west-1', {}, 'rolesanywhere.us-gov-west-1.amazonaws.com/sessions us-gov-west-1'],
    ['us-iso-east-1', {}, 'rolesanywhere.us-iso-east-1.c2s.ic.gov/sessions us-iso-east-1'],
    ['us-isob-east-1', {}, 'rolesanywhere.us-isob-east-1.sc2s.sgov.gov/sessions us-isob-east-1'],
    ['eu-isoe-west-1', {}, 'rolesanywhere.eu-isoe-west-1.cloud.adc-e.uk/sessions eu-isoe-west-1'],
    ['us-isof-south-1', {}, 'rolesanywhere.us-isof-south-1.csp.hci.ic.gov/sessions us-isof-south-1'],
    ['us-west-2', { useFipsEndpoint: true }, 'rolesanywhere-fips.us-west-2.amazonaws.com/sessions us-west-2'],
    ['us-west-2', { useDualstackEndpoint: true }, 'rolesanywhere.us-west-2.api.aws/sessions us-west-2'],
    [
      'cn-north-1',
      { useFipsEndpoint: true, useDualstackEndpoint: true },
      'rolesanywhere-fips.cn-north-1.api.amazonwebservices.com.cn/sessions cn-north-1',
    ],
    ['us-east-1', { region: 'fips-us-east-1' }, 'rolesanywhere-fips.us-east-1.amazonaws.com/sessions us-east-1'],
    ['us-east-1', { region: 'us-east-1-fips' }, 'rolesanywhere-fips.us-east-1.amazonaws.com/sessions us-east-1'],
  ])('S05: %s %j', (region, init, expected) => expect(at(init, region)).toBe(`https://${expected}`))

  it.each<[RolesAnywhereEndpointInit, string]>([
    [{ endpoint: 'https://ra.example.com:8443' }, 'https://ra.example.com:8443/sessions us-east-1'],
    [{ endpoint: 'https://ra.example.com/prefix/a.b/' }, 'https://ra.example.com/prefix/a.b/sessions us-east-1'],
    [{ endpoint: 'http://127.0.0.1:9000' }, 'http://127.0.0.1:9000/sessions us-east-1'],
    [{ endpoint: 'http://[::1]:9000' }, 'http://[::1]:9000/sessions us-east-1'],
    [{ endpoint: 'http://localhost' }, 'http://localhost/sessions us-east-1'],
    [
      { endpoint: 'http://ra.example.com', dangerouslyAllowPlaintextEndpoint: true },
      'http://ra.example.com/sessions us-east-1',
    ],
    [{ endpoint: 'https://ra.example.com', region: 'fips-us-east-2' }, 'https://ra.example.com/sessions us-east-2'],
    [{ endpoint: 'https://ra.example.com', region: 'moon-1' }, 'https://ra.example.com/sessions moon-1'],
  ])('takes an endpoint of the caller: %j', (init, expected) => expect(at(init)).toBe(expected))

  it.each<RolesAnywhereEndpointInit>([
    { region: 'moon-base-1' },
    { region: '' },
    { region: 'us-east-1.example.com' },
    { region: 'us-iso-east-1', useDualstackEndpoint: true },
    { endpoint: 'http://ra.example.com' },
    { endpoint: 'http://127.0.0.1.example.com' },
    { endpoint: 'ftp://ra.example.com' },
    { endpoint: 'ra.example.com' },
    { endpoint: 'https://user@ra.example.com' },
    { endpoint: 'https://ra.example.com/?a' },
    { endpoint: 'https://ra.example.com/a%20b' },
    { endpoint: 'https://ra.example.com/a//b' },
    { endpoint: 'https://ra.example.com:0' },
    { endpoint: 'https://ra.example.com', useFipsEndpoint: true },
    { endpoint: 'https://ra.example.com', useDualstackEndpoint: true },
  ])('S05, S09: refuses %j', (init) => expect(() => at(init)).toThrow(TypeError))
})
