import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

/** One request, one answer, one connection. */
export function ask(o: RequestOptions & { ca?: string }, body: string | Buffer = ''): Promise<Answer> {
  const send = o.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const req = send({ agent: false, ...o }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('error', reject)
      res.on('end', () =>
        resolve({ status: res.statusCode!, headers: res.headers, text: Buffer.concat(chunks).toString() }),
      )
    })
    req.on('error', reject)
    req.end(body)
  })
}

/** {@link ask} by URL. */
export function askUrl(
  url: string,
  o: RequestOptions & { ca?: string } = {},
  body: string | Buffer = '',
): Promise<Answer> {
  const { protocol, hostname, port, pathname, search } = new URL(url)
  return ask({ protocol, hostname, port, path: `${pathname}${search}`, ...o }, body)
}

export const USER = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  arn: 'arn:aws:iam::111122223333:user/broker',
}
export const ROLE = 'arn:aws:iam::444455556666:role/path/Reader'

/** The code an SDK call is refused with; `undefined` when it is not. */
export async function refusal(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call
    return undefined
  } catch (error) {
    return (error as Error).name.replace(/Exception$/, '') // which the SDK adds to the errors it knows
  }
}
