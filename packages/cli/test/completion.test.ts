import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Folder, hardbound, makeFolder, runProcess } from './helpers.ts'

let folder: Folder
beforeAll(async () => {
  folder = await makeFolder()
})
afterAll(() => folder.remove())

/** What bash offers for the last of these words. */
async function offered(...words: string[]): Promise<string[]> {
  const { code, stdout } = await hardbound(['completion', 'bash'])
  expect(code).toBe(0)
  const script = await folder.write('completion.bash', stdout)
  const line = `source ${script}; COMP_WORDS=(hardbound ${words.map((it) => `'${it}'`).join(' ')}); COMP_CWORD=${words.length}; _hardbound; printf '%s\\n' "\${COMPREPLY[@]}"`
  const result = await runProcess('/bin/bash', ['--norc', '-c', line], { PATH: '/usr/bin:/bin' })
  expect(result.stderr).toBe('')
  return result.stdout.split('\n').filter(Boolean)
}

describe('hardbound completion', () => {
  it('has bash complete commands, sources and flags', async () => {
    expect(await offered('')).toEqual(expect.arrayContaining(['aws', 'broker', 'serve', 'update', 'doctor', 'cache']))
    expect(await offered('aws', 'e')).toEqual(['ekm'])
    expect(await offered('aws', 'roles-anywhere', '--role-a')).toEqual(['--role-arn'])
    expect(await offered('aws', 'tpm', '--cac')).toEqual(['--cache'])
    expect(await offered('azure', 'ekm', '--sco')).toEqual(['--scope'])
    expect(await offered('serve', 'kms', '--lis')).toEqual(['--listen'])
    expect(await offered('serve', 'pkcs')).toEqual(['pkcs11'])
    expect(await offered('update', 'azure')).toEqual([])
    expect(await offered('broker', 'run', '--config', 'x', '--log')).toEqual(['--log-level'])
  })

  it.each(['zsh', 'fish'])('prints a script for %s', async (shell) => {
    const { code, stdout, stderr } = await hardbound(['completion', shell])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const word of ['roles-anywhere', 'role-arn', 'doctor']) expect(stdout).toContain(word)
  })

  it('names the shells that there are', async () => {
    const { code, stderr } = await hardbound(['completion', 'tcsh'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/bash, zsh, fish/)
  })
})
