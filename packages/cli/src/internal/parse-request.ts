import type { CredentialRequest } from '@hardbound/broker-core'
import { z } from 'zod'
import { CliError } from '../cli-error.ts'

const aws = z.strictObject({
  target: z.literal('aws'),
  role_arn: z.string().min(1).optional(),
  duration_seconds: z.int().min(900).max(43_200).optional(),
  session_token: z.boolean().optional().describe('Go-v1 with use_assume_role=false'),
})
const azure = z.strictObject({
  target: z.literal('azure'),
  scope: z.string().min(1),
  tenant_id: z.string().min(1).optional(),
  client_id: z.string().min(1).optional(),
})
const requestSchema = z.discriminatedUnion('target', [aws, azure])

/**
 * Reads a request as clients send it.
 *
 * @throws {CliError} naming the field.
 */
export function parseRequest(text: string): CredentialRequest {
  const result = requestSchema.safeParse(parseJson(text))
  if (!result.success) {
    const { path, message } = result.error.issues[0]!
    throw new CliError(`--request: ${path.length === 0 ? '' : `${path.join('.')}: `}${message}`)
  }
  const request = result.data
  if (request.target === 'azure') {
    return { target: 'azure', scope: request.scope, tenantId: request.tenant_id, clientId: request.client_id }
  }
  return {
    target: 'aws',
    roleArn: request.role_arn,
    durationSeconds: request.duration_seconds,
    sessionToken: request.session_token === true,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CliError('--request: is not JSON', { cause })
  }
}
