import { createHash, type X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import { connectEkm, type EkmConnectInit } from '@hardbound/ekm-tls'
import { describeFailure } from '@hardbound/ekm-tls/client'
import { CliError } from '../cli-error.ts'
import { connectInitOf } from './broker-target.ts'
import type { BrokerTarget } from './context.ts'
import { type Finding, findingsOf } from './finding.ts'

const { ok, warning, problem } = findingsOf('broker')
const DEADLINE_MS = 5_000
const CERTIFICATE_MS = 2_000
const DAY_MS = 86_400_000
const SOON_DAYS = 14

/** Connects as a workload would, and sends nothing: no token, no request. */
export async function probeBroker(target: BrokerTarget): Promise<Finding[]> {
  const where = target.where === '' ? '' : ` (${target.where})`
  try {
    const init = { ...connectInitOf(target), timeoutMs: DEADLINE_MS }
    const connection = await connectEkm(init)
    const { serverSpkiSha256 } = connection.channel
    connection.close()
    const [chain, pin] = [init.ca !== undefined, init.spkiPins !== undefined]
    const trust = chain && pin ? 'its chain and its pin are' : `its ${chain ? 'chain' : 'pin'} is`
    const host = new URL(target.url).host
    return [
      ok(`${host} answers with TLS 1.3; ${trust} right${where}`),
      ...(await dateFindings(init, serverSpkiSha256, where)),
    ]
  } catch (error) {
    // Those of flags name the flag; no other text than ours is shown.
    if (error instanceof CliError) return [problem(`${error.message}${where}`)]
    if (error instanceof TypeError) return [problem(`${inFlags(error.message)}${where}`)]
    const { code, why } = describeFailure(error)
    return [problem(`no connection to the broker${why}${where}`, cureOf(code, error))]
  }
}

const inFlags = (message: string): string =>
  message
    .replaceAll('"url"', '--broker')
    .replaceAll('"spkiPins"', '--pin')
    .replaceAll(/"(ca|cert|key|address|proxy)"/g, '--$1')

function cureOf(code: string, error: unknown): string | undefined {
  const inner = error instanceof Error && 'code' in error ? String(error.code) : ''
  const cause =
    error instanceof Error && error.cause instanceof Error && 'code' in error.cause ? String(error.cause.code) : ''
  if (/HAS_EXPIRED|NOT_YET_VALID/.test(cause)) return 'renew its certificate, or set the clock of this machine'
  if (cause === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return 'its certificate is for another name: see --sni of hardbound aws ekm'
  if (cause === 'ENOTFOUND' || cause === 'EAI_AGAIN') return 'its name is not known here: look at DNS'
  if (inner === 'ERR_EKM_UNTRUSTED') {
    return 'compare --ca and --pin with what the broker has; or something in between ends TLS, such as a proxy that inspects'
  }
  if (inner === 'ERR_EKM_PROTOCOL_VERSION' || inner === 'ERR_EKM_ALPN')
    return 'let TLS pass through to the broker (layer 4)'
  if (code === 'ERR_EKM_BROKER_UNREACHABLE' || code === 'ERR_EKM_TIMEOUT') {
    return 'is it running, and does a firewall let this machine through?'
  }
  return undefined
}

/** Until when its certificate is good; through a proxy, that is not asked. */
async function dateFindings(init: EkmConnectInit, spkiSha256: Uint8Array, where: string): Promise<Finding[]> {
  if (init.proxy !== undefined) return []
  const certificate = await certificateOf(init).catch(() => undefined)
  // Behind a balancer this may be another broker than the one just verified.
  if (certificate === undefined || !spkiOf(certificate).equals(spkiSha256)) return []
  const end = Date.parse(certificate.validTo)
  const days = Math.floor((end - Date.now()) / DAY_MS)
  const until = new Date(end).toISOString().slice(0, 10)
  if (days < 0)
    return [
      warning(`its certificate ended on ${until}; only the pin is trusted, so it still serves${where}`, 'renew it'),
    ]
  if (days < SOON_DAYS) return [warning(`its certificate ends in ${days} days, on ${until}${where}`, 'renew it')]
  return [ok(`its certificate is good for ${days} more days, until ${until}${where}`)]
}

function certificateOf(init: EkmConnectInit): Promise<X509Certificate | undefined> {
  const url = new URL(init.url)
  const { hostname, port } = init.address === undefined ? url : new URL(`https://${init.address}`)
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port === '' ? 443 : port),
      servername: init.serverName ?? (/^[\d.]+$|^\[/.test(url.hostname) ? '' : url.hostname),
      rejectUnauthorized: false, // verified a moment ago; this one is only read
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      ...(init.cert === undefined ? {} : { cert: init.cert, key: init.key }),
    })
    socket.setTimeout(CERTIFICATE_MS, () => socket.destroy(new Error('timeout')))
    socket.once('secureConnect', () => {
      resolve(socket.getPeerX509Certificate())
      socket.destroy()
    })
    socket.once('error', reject)
  })
}

const spkiOf = ({ publicKey }: X509Certificate): Buffer =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest()
