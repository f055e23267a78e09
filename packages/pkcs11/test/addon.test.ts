import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { howToInstall, loadAddon, requireFromAbove } from '../src/addon.ts'

describe('loadAddon', () => {
  it('loads pkcs11js where it is', () => {
    expect(loadAddon()).toHaveProperty('PKCS11')
  })
  it('says what to type where it is not', () => {
    const load = () => {
      throw Object.assign(new Error("Cannot find module 'pkcs11js'"), { code: 'MODULE_NOT_FOUND' })
    }
    expect(() => loadAddon(load)).toThrow(expect.objectContaining({ code: 'ERR_PKCS11_ADDON' }))
    expect(() => loadAddon(load)).toThrow(/is not installed.* npm install pkcs11js@2$/)
  })
})

describe('requireFromAbove', () => {
  it('M14 takes a package out of a folder above the file alone', async () => {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'hardbound-addon-')))
    const put = async (...folder: string[]): Promise<void> => {
      await mkdir(join(root, ...folder), { recursive: true })
      await writeFile(join(root, ...folder, 'index.js'), `module.exports = ${JSON.stringify(folder[0])}`)
    }
    const load = () => requireFromAbove('an-addon', join(root, 'app', 'node_modules', 'us', 'dist', 'us.cjs'))
    await put('app', 'node_modules', 'us', 'dist')
    await put('elsewhere', 'node_modules', 'an-addon')
    await put('app', 'node_modules', 'node_modules', 'an-addon') // as Node: not there
    expect(load).toThrow("Cannot find module 'an-addon'")
    expect(() => loadAddon(load)).toThrow(expect.objectContaining({ code: 'ERR_PKCS11_ADDON' }))
    await put('app', 'node_modules', 'an-addon')
    expect(load()).toBe('app')
    await rm(root, { recursive: true })
  })
})

describe('howToInstall', () => {
  const absent = Object.assign(new Error("Cannot find module 'pkcs11js'"), { code: 'MODULE_NOT_FOUND' })
  const unbuilt = Object.assign(new Error("Cannot find module './build/Release/pkcs11.node'"), {
    code: 'MODULE_NOT_FOUND',
  })

  it('builds against the headers beside Node, where there are some', async () => {
    const prefix = await mkdtemp(join(tmpdir(), 'hardbound-node-'))
    const node = join(prefix, 'bin', 'node')
    expect(howToInstall(absent, node)).toMatch(/headers .*npm install pkcs11js@2$/)
    await mkdir(join(prefix, 'include', 'node'), { recursive: true })
    await writeFile(join(prefix, 'include', 'node', 'node.h'), '')
    expect(howToInstall(absent, node)).toContain(`npm_config_nodedir=${prefix} npm install pkcs11js@2`)
    expect(howToInstall(unbuilt, node)).toContain(`npm_config_nodedir=${prefix} npm rebuild pkcs11js`)
    await rm(prefix, { recursive: true })
  })
})
