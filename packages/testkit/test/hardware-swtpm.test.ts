import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { startSwtpm } from '../src/hardware.ts'

async function tool(tcti: string, name: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(name, args, { env: { ...process.env, TPM2TOOLS_TCTI: tcti } })
  return stdout
}

describe.each(['unix', 'tcp'] as const)('startSwtpm, %s', (transport) => {
  it('answers tpm2-tools, and keeps seeds and persistent keys over a power cut', async () => {
    const swtpm = await startSwtpm({ transport })
    const run = (name: string, ...args: string[]) => tool(swtpm.tpm2ToolsTcti, name, ...args)
    const context = join(swtpm.stateDir, 'primary.ctx')

    expect(await run('tpm2_getrandom', '--hex', '8')).toMatch(/^[0-9a-f]{16}$/)
    await run('tpm2_createprimary', '-Q', '-C', 'o', '-c', context)
    await run('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', context, '0x81010001')
    await swtpm.kill()
    await swtpm.restart()
    expect(await run('tpm2_getcap', 'handles-transient')).toBe('')
    expect(await run('tpm2_getcap', 'handles-persistent')).toContain('0x81010001')

    await swtpm.stop()
    await swtpm.stop()
    await expect(access(swtpm.stateDir)).rejects.toThrow('ENOENT')
  })
})

it('says why swtpm does not start', async () => {
  await expect(startSwtpm({ stateDir: '/nonexistent' })).rejects.toThrow(/nonexistent|ended/)
})
