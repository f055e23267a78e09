import type { AwsSession } from './aws-session.ts'
import type { ImdsTokens } from './imds-tokens.ts'
import { Refusal } from './refusal.ts'
import type { Answer, GatedRequest, Route } from './route.ts'

const TOKEN_PATH = '/latest/api/token'
const ROLES_PATH = '/latest/meta-data/iam/security-credentials'
const TTL_HEADER = 'x-aws-ec2-metadata-token-ttl-seconds'
const TOKEN_HEADER = 'x-aws-ec2-metadata-token'
const MAX_TTL_SECONDS = 21_600
const TEXT = 'text/plain; charset=utf-8'

export interface AwsImdsInit {
  tokens: ImdsTokens
  /** The first one is listed. */
  roles: readonly { roleName: string; session: () => Promise<AwsSession> }[]
}

/**
 * The part of EC2's instance metadata, version 2, that hands out credentials. SDKs look for regions and other things below
 * other paths, and go on when these are not there.
 * @see {@link https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html}
 */
export function awsImdsRoutes({ tokens, roles }: AwsImdsInit): Route[] {
  const ttlHeader = (request: GatedRequest): Record<string, string> => {
    const values = request.header(TOKEN_HEADER)
    const [token = '', ...more] = values
    if (values.every((it) => it === '')) throw new Refusal(401, 'token', 'no token provided')
    const left = more.length > 0 ? undefined : tokens.remainingSeconds(token, request.uid)
    if (left === undefined) throw new Refusal(401, 'token', 'invalid token provided')
    return { [TTL_HEADER]: String(left) }
  }
  const reading = (name: string, path: string, body: () => Promise<string> | string): Route => ({
    ...common,
    name,
    paths: withSlash(path),
    methods: ['GET'],
    handle: async (request): Promise<Answer> => {
      const headers = ttlHeader(request)
      return { body: await body(), contentType: TEXT, headers }
    },
  })
  return [
    {
      ...common,
      name: 'aws-imds-token',
      paths: withSlash(TOKEN_PATH),
      below: BELOW_TOKEN,
      methods: ['PUT'],
      forwardedFor: 'unable to process requests with X-Forwarded-For header',
      handle: (request) => {
        const text = ttlText(request.header(TTL_HEADER))
        const body = tokens.issue(request.uid, Number(text))
        return { body, contentType: TEXT, headers: { [TTL_HEADER]: text } }
      },
    },
    reading('aws-imds-roles', ROLES_PATH, () => roles[0]?.roleName ?? ''),
    ...roles.map(({ roleName, session }) =>
      reading('aws-imds-credentials', `${ROLES_PATH}/${roleName}`, async () => (await session()).imdsBody),
    ),
  ]
}

const common = {
  refusalBody: ({ status, message }: Refusal): string => (status === 405 ? '' : message),
  refusalType: TEXT,
}

/** Go's helper serves all below its token path; here, without escapes, dots and double slashes. */
const BELOW_TOKEN = /^\/latest\/api\/token(?:\/[\w-]+)+\/?$/

const withSlash = (path: string): string[] => [path, `${path}/`]

/** @throws {Refusal} 400 where it is not 1 to 21600. Nothing means the most. */
function ttlText(values: readonly string[]): string {
  const [text = '', ...more] = values
  if (text === '' && more.length === 0) return String(MAX_TTL_SECONDS)
  const isGood = /^\d{1,16}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_TTL_SECONDS
  if (!isGood || more.length > 0) throw new Refusal(400, 'parameter', 'invalid token TTL')
  return text
}
