import type { AwsSession } from './aws-session.ts'
import { Refusal } from './refusal.ts'
import type { Route } from './route.ts'
import { createSecretCheck } from './secret-check.ts'

export interface AwsContainerInit {
  path: string
  authorizationToken: string
  session: () => Promise<AwsSession>
}

/**
 * Credentials as ECS and EKS Pod Identity hand them out: one path a role, and a secret.
 * @see {@link https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html}
 */
export function awsContainerRoute({ path, authorizationToken, session }: AwsContainerInit): Route {
  const isSecret = createSecretCheck(authorizationToken)
  return {
    name: 'aws-container',
    paths: [path],
    methods: ['GET'],
    handle: async (request) => {
      if (!isSecret(request.header('authorization'))) {
        throw new Refusal(401, 'secret', 'the authorization token is missing or wrong')
      }
      return { body: (await session()).containerBody }
    },
    refusalBody: ({ status, message }) => JSON.stringify({ code: CODES.get(status) ?? 'InternalServerError', message }),
  }
}

const CODES: ReadonlyMap<number, string> = new Map([
  [400, 'InvalidRequest'],
  [401, 'AccessDenied'],
  [405, 'MethodNotAllowed'],
  [503, 'ServiceUnavailable'],
])
