import http from 'node:http'
import type { AddressInfo } from 'node:net'

export type Script = (req: http.IncomingMessage, res: http.ServerResponse, params: URLSearchParams) => void

/** An STS that answers as it is told, whatever the signature: for faults, which an honest emulator doesn't have. */
export async function startFakeSts(script: Script) {
  const requests: { params: URLSearchParams; headers: http.IncomingHttpHeaders }[] = []
  const fake = { endpoint: '', requests, script, close: () => server.closeAllConnections() ?? server.close() }
  const server = http.createServer((req, res) => {
    let body = ''
    req.on('data', (chunk) => {
      body += String(chunk)
    })
    req.on('end', () => {
      const params = new URLSearchParams(body)
      requests.push({ params, headers: req.headers })
      fake.script(req, res, params)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  fake.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return fake
}

export const SESSION = {
  accessKeyId: 'ASIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: 'IQoJb3JpZ2luX2VjEXAMPLETOKEN==',
  expiration: '2026-08-22T13:00:00Z',
  arn: 'arn:aws:sts::111122223333:assumed-role/reader/vm-1',
  packedPolicySize: '6',
  sourceIdentity: undefined as string | undefined,
}

/** A well-formed AssumeRole answer; `undefined` leaves an element out. */
export function assumeRoleXml(changes: { [K in keyof typeof SESSION]?: string | undefined } = {}): string {
  const it = { ...SESSION, ...changes }
  const element = (name: string, value: string | undefined) =>
    value === undefined ? '' : `<${name}>${value}</${name}>`
  return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser><AssumedRoleId>AROAIOSFODNN7EXAMPLE:vm-1</AssumedRoleId>${element('Arn', it.arn)}</AssumedRoleUser>
    <Credentials>${element('AccessKeyId', it.accessKeyId)}${element('SecretAccessKey', it.secretAccessKey)}
      ${element('SessionToken', it.sessionToken)}${element('Expiration', it.expiration)}</Credentials>
    ${element('PackedPolicySize', it.packedPolicySize)}${element('SourceIdentity', it.sourceIdentity)}
  </AssumeRoleResult>
  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>
</AssumeRoleResponse>`
}

export function errorXml(code: string, message = 'no'): string {
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code>
<Message>${message}</Message></Error><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ErrorResponse>`
}

export function answer(body: string | Uint8Array, status = 200, headers: http.OutgoingHttpHeaders = {}): Script {
  return (_req, res) => {
    res.writeHead(status, {
      'content-type': 'text/xml',
      'x-amzn-requestid': 'c6104cbe-af31-11e0-8154-cbc7ccf896c7',
      ...headers,
    })
    res.end(body)
  }
}
