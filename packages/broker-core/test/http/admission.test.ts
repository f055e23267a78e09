import { expect, it } from '@jest/globals'
import { createAdmission } from '../../src/http/admission.ts'
import type { Connection } from '../../src/http/connection.ts'
import { DEFAULT_LIMITS } from '../../src/http/limits.ts'

const connection = {
  peer: { address: '192.0.2.1', spkiSha256: undefined, san: { dns: [], uri: [] } },
  establishedAt: performance.now(),
} as unknown as Connection

it('R05 lets nobody in while the server ends: try another one', async () => {
  const admission = createAdmission(DEFAULT_LIMITS, () => true)
  await expect(admission.enter(connection)).rejects.toMatchObject({ code: 'shutting_down', retryAfterSeconds: 1 })
})

it('lets in as many as it may, and another one when one has left', async () => {
  const admission = createAdmission({ ...DEFAULT_LIMITS, maxInFlight: 1 }, () => false)
  const leave = await admission.enter(connection)
  await expect(admission.enter(connection)).rejects.toMatchObject({ code: 'overloaded' })
  leave()
  await expect(admission.enter(connection)).resolves.toBeInstanceOf(Function)
})
