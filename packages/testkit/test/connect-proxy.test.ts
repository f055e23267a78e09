import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startAws, startConnectProxy, type TestAws, type TestConnectProxy } from '../src/index.ts'

let aws: TestAws
let proxy: TestConnectProxy
beforeAll(async () => {
  ;[aws, proxy] = await Promise.all([startAws(), startConnectProxy()])
})
afterAll(() => Promise.all([aws.close(), proxy.close()]))

/** Status of the proxy, and of what is behind it. */
const curl = async (...args: string[]) => {
  const common = ['-s', '-p', '-x', proxy.url, '-o', '/dev/null', '-w', '%{http_connect} %{http_code}']
  const done = promisify(execFile)('/usr/bin/curl', [...common, ...args, aws.endpoint])
  return done.then(({ stdout }) => stdout).catch(({ stdout }: { stdout: string }) => stdout)
}

describe('startConnectProxy', () => {
  it('makes a tunnel for curl, and says what it heard', async () => {
    expect(await curl('-U', 'me:pass:w@rd')).toMatch(/^200 [1-5]\d\d$/)
    const authorization = `Basic ${Buffer.from('me:pass:w@rd').toString('base64')}`
    expect(proxy.asked).toEqual([{ authority: new URL(aws.endpoint).host, authorization }])
  })

  it('refuses, and knows no other method', async () => {
    proxy.refusal = 407
    expect(await curl()).toBe('407 000')
    proxy.refusal = undefined
    expect((await fetch(proxy.url)).status).toBe(501)
  })
})
