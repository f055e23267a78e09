import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { answerDynamoDb, dynamoDbError, dynamoDbRefusal } from './dynamodb.ts'
import { AwsRefusal } from './errors.ts'
import {
  type Accounts,
  openRoleSession,
  type Principal,
  type Role,
  type RoleSessionInit,
  type Session,
  uniqueId,
} from './internal/accounts.ts'
import { listen, readBody } from './internal/http.ts'
import { queryPairs, splitTarget } from './internal/sigv4-canonical.ts'
import { answerS3, type Buckets, parseS3, s3Error, s3Refusal } from './s3.ts'
import { type SignedHttpRequest, verifySigV4 } from './sigv4-verify.ts'
import { answerSts, stsError } from './sts.ts'

const MAX_BODY_OCTETS = 65_536
/** How far clocks may be apart, in seconds. */
const MAX_SKEW_SECONDS = { sts: 300, s3: 900, dynamodb: 300 }

/** A call that was verified, allowed and answered. */
export interface AwsCall {
  /** `AssumeRole`, `GetObject` */
  readonly action: string
  /** STS: the parameters as sent, without `Action` and `Version`. S3: `Bucket`, `Key` and the query. DynamoDB: none. */
  readonly params: Readonly<Record<string, string>>
  /** ARN of the caller. */
  readonly principal: string
}

/** A running stand-in for AWS. */
export interface TestAws {
  /** `http://127.0.0.1:<port>`: STS, S3 in path style, and `ListTables` of DynamoDB. */
  readonly endpoint: string
  readonly calls: AwsCall[]
  /** What was refused, in order. `action` is empty where it could not be read. */
  readonly refusals: { code: string; action: string }[]
  /** Sees every request first. Where it returns true, it has answered. */
  fault: ((req: IncomingMessage, res: ServerResponse, body: string) => unknown) | undefined
  /** Shortest session in seconds. Default: 900, as at AWS; lower it to watch a session expire. */
  minSessionSeconds: number
  /** Sessions end after so many seconds, whatever was asked for: to watch one expire. Default: as asked. */
  shortenSessionsTo: number | undefined
  /**
   * An IAM user with a long-term key. `arn` is `arn:aws:iam::<account>:user/<name>` or `…:root`. Codes of its MFA device are good
   * once each.
   */
  addUser(o: {
    accessKeyId: string
    secretAccessKey: string
    arn: string
    mfa?: { serialNumber: string; tokenCodes: string[] }
  }): void
  /** A role. What it trusts, it trusts for sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity. */
  addRole(o: Role): void
  /** Temporary keys that another service, Roles Anywhere, got for a role. It need not be one of {@link addRole}. */
  openRoleSession(session: RoleSessionInit): Principal & { session: Session }
  /** A managed policy that `PolicyArns` may name. */
  addPolicy(arn: string, document: string): void
  /** What `ProvidedContexts` may have. */
  addContext(providerArn: string, contextAssertion: string): void
  /** A table of DynamoDB. */
  addTable(name: string): void
  /** A bucket with its objects, by key. */
  addBucket(name: string, objects: Record<string, string>): void
  close(): Promise<void>
}

/** What one service does with a request. */
interface Service {
  readonly name: 'sts' | 's3' | 'dynamodb'
  readonly contentType: string
  /** Fills in `call` as it learns more. @returns What to send with status 200. */
  answer(call: Call): { headers: Readonly<Record<string, string>>; body: string }
  error(refusal: AwsRefusal, requestId: string): { status: number; code: string; body: string }
}

interface Call {
  readonly request: SignedHttpRequest
  readonly sourceIp: string
  readonly requestId: string
  action: string
  params: Record<string, string>
  principal: string
}

/**
 * Starts STS, S3 and a little of DynamoDB in one server, with the same users, roles and sessions. Every signature is verified.
 *
 * @param o.now Milliseconds since 1970; default: the real clock. The `Date` header follows it.
 */
export async function startAws(o: { now?: () => number } = {}): Promise<TestAws> {
  const now = o.now ?? Date.now
  const accounts: Accounts = { principals: new Map(), roles: new Map(), policies: new Map(), contexts: new Set() }
  const buckets: Buckets = new Map()
  const tables = new Set<string>()
  const calls: AwsCall[] = []
  const refusals: { code: string; action: string }[] = []

  const authenticate = (call: Call, service: Service['name']): Principal => {
    const { accessKeyId } = verifySigV4(call.request, {
      service,
      nowMs: now(),
      maxSkewSeconds: MAX_SKEW_SECONDS[service],
      findKey: (id) => accounts.principals.get(id),
    })
    const caller = accounts.principals.get(accessKeyId)!
    call.principal = caller.arn
    return caller
  }

  const sts: Service = {
    name: 'sts',
    contentType: 'text/xml',
    answer(call) {
      const { Action = '', ...params } = formOf(call.request)
      call.action = Action
      const caller = authenticate(call, 'sts')
      const { minSessionSeconds, shortenSessionsTo } = aws
      const { requestId } = call
      const body = answerSts({
        action: Action,
        params,
        caller,
        accounts,
        nowMs: now(),
        minSessionSeconds,
        shortenSessionsTo,
        requestId,
      })
      const { Version: _, ...sent } = params
      call.params = sent
      return { headers: { 'content-type': 'text/xml' }, body }
    },
    error: (refusal, requestId) => ({ ...refusal, status: refusal.status, body: stsError(refusal, requestId) }),
  }

  const s3: Service = {
    name: 's3',
    contentType: 'text/xml',
    answer(call) {
      const operation = parseS3(call.request.method, call.request.target)
      call.action = operation.action
      call.params = { Bucket: operation.bucket, Key: operation.key, ...operation.params }
      return answerS3(operation, buckets, authenticate(call, 's3'), call.sourceIp)
    },
    error(refusal, requestId) {
      const renamed = s3Refusal(refusal)
      return { code: renamed.code, status: renamed.status, body: s3Error(renamed, requestId) }
    },
  }

  const dynamoDb: Service = {
    name: 'dynamodb',
    contentType: 'application/x-amz-json-1.0',
    answer(call) {
      const target = headerOf(call.request, 'x-amz-target') ?? ''
      call.action = target.slice(target.indexOf('.') + 1)
      const caller = authenticate(call, 'dynamodb')
      const body = answerDynamoDb(target, call.request.body, { caller, tables, sourceIp: call.sourceIp })
      return { headers: { 'content-type': 'application/x-amz-json-1.0' }, body }
    },
    error(refusal) {
      const renamed = dynamoDbRefusal(refusal)
      return { code: renamed.code, status: renamed.status, body: dynamoDbError(renamed) }
    },
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await readBody(req, MAX_BODY_OCTETS)
    if (body === undefined) return void res.writeHead(413, { connection: 'close' }).end()
    if (aws.fault?.(req, res, body.toString()) === true) return
    const request = { method: req.method!, target: req.url!, headers: pairs(req.rawHeaders), body }
    const sourceIp = req.socket.remoteAddress ?? ''
    const call: Call = { request, sourceIp, requestId: randomUUID(), action: '', params: {}, principal: '' }
    const service = headerOf(request, 'x-amz-target') !== undefined ? dynamoDb : isSts(request) ? sts : s3
    const common = {
      date: new Date(now()).toUTCString(),
      [service.name === 's3' ? 'x-amz-request-id' : 'x-amzn-RequestId']: call.requestId,
    }
    try {
      const answer = service.answer(call)
      calls.push({ action: call.action, params: call.params, principal: call.principal })
      res.writeHead(200, { ...common, ...answer.headers }).end(req.method === 'HEAD' ? undefined : answer.body)
    } catch (error) {
      if (!(error instanceof AwsRefusal)) throw error
      const answer = service.error(error, call.requestId)
      refusals.push({ code: answer.code, action: call.action })
      res.writeHead(answer.status, { ...common, 'content-type': service.contentType })
      res.end(req.method === 'HEAD' ? undefined : answer.body)
    }
  }

  const listening = await listen(createServer((req, res) => void handle(req, res).catch(() => res.destroy())))
  const aws: TestAws = {
    endpoint: `http://127.0.0.1:${listening.port}`,
    calls,
    refusals,
    fault: undefined,
    minSessionSeconds: 900,
    shortenSessionsTo: undefined,
    addUser({ accessKeyId, secretAccessKey, arn, mfa: device }) {
      if (!/^arn:[\w-]+:iam::\d{12}:(user\/.+|root)$/.test(arn))
        throw new TypeError('"arn" must be that of an IAM user')
      const mfa = device && { serialNumber: device.serialNumber, tokenCodes: new Set(device.tokenCodes) }
      accounts.principals.set(accessKeyId, { accessKeyId, secretAccessKey, arn, userId: uniqueId('AIDA', arn), mfa })
    },
    addRole: (role) => void accounts.roles.set(role.arn, role),
    openRoleSession: (session) => openRoleSession(accounts, session),
    addPolicy: (arn, document) => void accounts.policies.set(arn, document),
    addContext: (provider, assertion) => void accounts.contexts.add(`${provider} ${assertion}`),
    addTable: (name) => void tables.add(name),
    addBucket: (name, objects) => void buckets.set(name, new Map(Object.entries(objects))),
    close: listening.close,
  }
  return aws
}

/** The Query protocol speaks to `/`: a form in a POST, or `Action` in a query. The rest is S3. */
function isSts({ method, target }: SignedHttpRequest): boolean {
  const [path, query] = splitTarget(target)
  return path === '/' && (method === 'POST' || /(^|&)Action=/.test(query))
}

const headerOf = ({ headers }: SignedHttpRequest, name: string): string | undefined =>
  headers.find(([other]) => other.toLowerCase() === name)?.[1]

/** Parameters of query and form together; those of a presigned URL are left out. */
function formOf({ target, body }: SignedHttpRequest): Record<string, string> {
  const query = queryPairs(splitTarget(target)[1]).filter(([name]) => !/^X-Amz-/i.test(name))
  const all = [...query, ...new URLSearchParams(Buffer.from(body).toString())]
  if (new Set(all.map(([name]) => name)).size < all.length)
    throw new AwsRefusal('ValidationError', 'Duplicate parameter')
  return Object.fromEntries(all)
}

function pairs(rawHeaders: readonly string[]): [string, string][] {
  return Array.from({ length: rawHeaders.length / 2 }, (_, i) => [rawHeaders[2 * i]!, rawHeaders[2 * i + 1]!])
}
