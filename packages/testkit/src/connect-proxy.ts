import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

/** An HTTP proxy that knows CONNECT, and nothing else. */
export interface TestConnectProxy {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** What was asked of it: where to, and the Proxy-Authorization header. */
  readonly asked: { readonly authority: string; readonly authorization: string | undefined }[]
  /** Where every tunnel leads, as `host:port`, in place of what is asked for. */
  target: string | undefined
  /** A status to answer in place of a tunnel. */
  refusal: number | undefined
  close(): Promise<void>
}

export async function startConnectProxy(): Promise<TestConnectProxy> {
  const open = new Set<Socket>()
  const keep = (socket: Socket): void => {
    open.add(socket)
    socket.on('error', () => {}).once('close', () => open.delete(socket))
  }
  const server = createServer((_, response) => response.writeHead(501).end())
  server.on('connection', keep)
  server.on('connect', ({ url: authority = '', headers }, client: Socket) => {
    proxy.asked.push({ authority, authorization: headers['proxy-authorization'] })
    if (proxy.refusal !== undefined) return client.end(`HTTP/1.1 ${proxy.refusal} No\r\ncontent-length: 0\r\n\r\n`)
    const { hostname, port } = new URL(`tcp://${proxy.target ?? authority}`)
    const upstream = connect(Number(port), hostname.replace(/^\[(.*)\]$/, '$1'), () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.pipe(upstream).pipe(client)
    })
    keep(upstream)
    upstream.once('error', () => client.end('HTTP/1.1 502 No\r\n\r\n'))
    client.once('close', () => upstream.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy: TestConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    target: undefined,
    refusal: undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of open) socket.destroy()
      }),
  }
  return proxy
}
