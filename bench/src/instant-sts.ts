// An STS that answers AssumeRole at once, and always the same.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const [role = '', session = ''] = process.argv.slice(2)
const [, , , , account, path] = role.split(':')
const expiration = new Date(Date.now() + 3_590_000).toISOString().replace(/\.\d+Z/, 'Z')
const ANSWER = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<AssumedRoleUser><AssumedRoleId>AROA3XFRBF535PLBIFPI4:${session}</AssumedRoleId><Arn>arn:aws:sts::${account}:assumed-role/${path?.split('/').at(-1)}/${session}</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey><SessionToken>${'T'.repeat(320)}</SessionToken><Expiration>${expiration}</Expiration></Credentials>
</AssumeRoleResult><ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata></AssumeRoleResponse>`

const server = createServer((request, response) => {
  request.resume().once('end', () => {
    response.writeHead(200, { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(ANSWER) }).end(ANSWER)
  })
})
server.listen(0, '127.0.0.1', () => console.error(JSON.stringify({ port: (server.address() as AddressInfo).port })))
process.once('SIGTERM', () => process.exit(0))
