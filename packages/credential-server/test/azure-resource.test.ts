import { describe, expect, it } from '@jest/globals'
import { isAzureResource, requestedResource } from '../src/internal/azure-resource.ts'

const rules = { allowedResources: undefined, clientId: undefined }

describe('isAzureResource', () => {
  it.each([
    'https://storage.azure.com',
    'https://storage.azure.com/',
    'https://management.core.windows.net/',
    'api://66666666-7777-4888-8999-aaaaaaaaaaaa',
    '66666666-7777-4888-8999-aaaaaaaaaaaa',
    'https://hardbounddemo.blob.core.windows.net:443/x',
  ])('takes %s', (resource) => expect(isAzureResource(resource)).toBe(true))

  it.each([
    'storage.azure.com',
    'https://',
    'https:///x',
    '://x',
    'https://a b',
    'https://a/.default https://b',
    'https://storage.azure.com/.default',
    'https://storage.azure.com\r\nX: y',
    'https://storage.azure.com\0',
    'https://storage.azure.com/%20x',
    'https://storage.azure.com/?x',
    'https://storage.azure.com/#x',
    'https://störage.azure.com',
    '66666666-7777-4888-8999-aaaaaaaaaaaa/',
    `https://a/${'x'.repeat(512)}`,
  ])('does not take %j', (resource) => expect(isAzureResource(resource)).toBe(false))
})

describe('requestedResource', () => {
  it('compares allowed resources exactly', () => {
    const allowed = { ...rules, allowedResources: new Set(['https://storage.azure.com/']) }
    expect(requestedResource(new Map([['resource', 'https://storage.azure.com/']]), allowed)).toMatch('/')
    for (const resource of ['https://storage.azure.com', 'https://STORAGE.azure.com/', 'https://storage.azure.com//']) {
      expect(() => requestedResource(new Map([['resource', resource]]), allowed)).toThrow('not served here')
    }
  })

  it('never guesses a resource', () => {
    expect(() => requestedResource(new Map(), rules)).toThrow('Required audience parameter not specified')
    expect(() => requestedResource(new Map([['resource', 'x']]), rules)).toThrow('not an absolute URI')
  })
})
