import { randomUUID } from 'node:crypto'

/** What the published Go programs put into their request beside role and duration. */
export interface GoV1Fields {
  /** Sent as `access_key_id`; brokers of ours ignore it. */
  accessKeyId?: string
  /** Sent as `region`; brokers of ours ignore it. */
  region?: string
  /** Sent as `session_name`. Default: `gcp-` and a UUID. Brokers of ours derive their own. */
  sessionName?: string
  /** `false` asks for GetSessionToken instead of AssumeRole. Default: whether there is a `roleArn`. */
  useAssumeRole?: boolean
}

/** The claims of `token_jwt`, all of them always present, as the Go programs send them. */
export function goV1Claims(
  fields: GoV1Fields,
  roleArn: string | undefined,
  durationSeconds: number,
): Record<string, string | number | boolean> {
  return {
    use_assume_role: fields.useAssumeRole ?? roleArn !== undefined,
    access_key_id: fields.accessKeyId ?? '',
    role_arn: roleArn ?? '',
    region: fields.region ?? '',
    duration: durationSeconds,
    session_name: fields.sessionName ?? `gcp-${randomUUID()}`,
  }
}
