/** A session tag. */
export interface StsTag {
  Key: string
  Value: string
}

/** A managed policy. The lower-case name is AWS's own. */
export interface StsPolicyArn {
  arn: string
}

/** A trusted context assertion. */
export interface StsProvidedContext {
  ProviderArn: string
  ContextAssertion: string
}

/** A device and its present code: both, or neither. A code is good for one session; a provider that is to renew needs none. */
export type StsMfa = { SerialNumber: string; TokenCode: string } | { SerialNumber?: undefined; TokenCode?: undefined }

/**
 * What AWS's AssumeRole takes, by AWS's own names.
 *
 * @see {@link https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html AWS STS API Reference, AssumeRole}
 */
export type AssumeRoleInput = StsMfa & {
  /** `arn:aws:iam::<12 digits>:role/<path/name>` */
  RoleArn: string
  /** 2 to 64 of `A-Za-z0-9_+=,.@-`. Default: `hardbound-<access key id>`. */
  RoleSessionName?: string | undefined
  /** At most 10. */
  PolicyArns?: readonly StsPolicyArn[] | undefined
  /** JSON, at most 2048 characters. */
  Policy?: string | undefined
  /** Seconds, 900 to 43200. AWS's default: 3600. */
  DurationSeconds?: number | undefined
  /** At most 50; keys differ in more than case. */
  Tags?: readonly StsTag[] | undefined
  /** Keys of `Tags`. */
  TransitiveTagKeys?: readonly string[] | undefined
  ExternalId?: string | undefined
  /** 2 to 64 of `A-Za-z0-9_+=,.@-`. */
  SourceIdentity?: string | undefined
  /** At most 5. */
  ProvidedContexts?: readonly StsProvidedContext[] | undefined
  /** Octets that the session token has at least, 0 to 4096. */
  MinimumSessionTokenSize?: number | undefined
}

/**
 * What AWS's GetSessionToken takes, by AWS's own names.
 *
 * @see {@link https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html AWS STS API Reference, GetSessionToken}
 */
export type GetSessionTokenInput = StsMfa & {
  /** Seconds, 900 to 129600. AWS's default: 43200. */
  DurationSeconds?: number | undefined
  /** Octets that the session token has at least, 0 to 4096. */
  MinimumSessionTokenSize?: number | undefined
}
