/** Temporary credentials, in the form of an AWS SDK's `AwsCredentialIdentity`. */
export interface StsSession {
  /** `ASIA…` */
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiration: Date
  /** 12 digits. Of AssumeRole only: GetSessionToken's answer does not say it. */
  readonly accountId?: string
  /** `arn:aws:sts::<account>:assumed-role/<role>/<session>`. Of AssumeRole only. */
  readonly assumedRoleArn?: string
}
