import { describe, expect, it, jest } from '@jest/globals'
import { prepareServer } from '../src/serve/server-init.ts'
import type { ConfiguredSource } from '../src/sources/configured-source.ts'
import { SOURCES } from '../src/sources/index.ts'
import type { AwsSource } from '../src/sources/source.ts'

const fails = () => Promise.reject(new Error('of others'))
const close = jest.fn(() => Promise.resolve())
const aws: AwsSource = { ...SOURCES.ekm, open: () => ({ provide: fails, close }) }
const azure = { ...SOURCES['azure-ekm'], open: () => ({ getToken: fails }) as never }
const one = (name: string, more: Partial<ConfiguredSource> = {}): ConfiguredSource => ({
  name,
  source: aws,
  flags: {},
  ...more,
})
const prepare = (sources: ConfiguredSource[], more = {}, warn = () => {}) => prepareServer({ sources, ...more }, warn)

describe('prepareServer', () => {
  it('I20 lets in those who were named, and nobody else', async () => {
    const { init } = await prepare([one('a')], { allowUids: [1000] })
    expect(init).toMatchObject({ host: '127.0.0.1', port: 9911, allowedUids: [1000] })
    expect(init).not.toHaveProperty('dangerouslyAllowAnyUser')
    const { init: open } = await prepare([one('a')], { dangerouslyAllowAnyUser: true })
    expect(open).toHaveProperty('dangerouslyAllowAnyUser', true)
  })

  it('gives each of several a form of its own, as IMDSv2 lists one alone', async () => {
    const alone = await prepare([one('a')])
    expect(alone.init.aws).toEqual([{ roleName: 'a', provider: expect.any(Function) }])
    const { init } = await prepare([one('a', { lazy: true }), one('b', { container: { tokenFile: '/t' } })])
    expect(init.aws).toMatchObject([{ container: {}, lazy: true }, { container: { tokenFile: '/t' } }])
  })

  it('serves one source of Azure, with its bounds', async () => {
    const blobs = one('blobs', { source: azure, allowedResources: ['https://storage.azure.com'], imds: false })
    expect((await prepare([blobs])).init.azure).toMatchObject({ allowedResources: ['https://storage.azure.com'] })
    await expect(prepare([blobs, blobs])).rejects.toThrow('one server can serve one azure_ekm')
  })

  it('tells why there is no session, without the words of others, and closes all', async () => {
    const { init, failures, close: closeAll } = await prepare([one('a')])
    const [first] = [init.aws ?? []].flat()
    await expect(first?.provider()).rejects.toThrow('of others')
    expect(failures.get('a')).toBe('internal error')
    await closeAll()
    expect(close).toHaveBeenCalledTimes(1)
  })

  it('C13 gives one that hangs no reason, not the last one', async () => {
    const provide = jest.fn<typeof fails>(() => new Promise<never>(() => {})).mockImplementationOnce(fails)
    const source = { ...aws, open: () => ({ provide, close }) }
    const { init, failures } = await prepare([one('a', { source })])
    const [first] = [init.aws ?? []].flat()
    await expect(first?.provider()).rejects.toThrow('of others')
    void first?.provider()
    expect(provide).toHaveBeenCalledTimes(2)
    expect(failures.get('a')).toBeUndefined()
  })
})
