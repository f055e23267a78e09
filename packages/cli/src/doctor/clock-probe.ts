import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { rootCertificates } from 'node:tls'
import { connectEkm } from '@hardbound/ekm-tls'
import { connectInitOf } from './broker-target.ts'
import type { ProbeInputs } from './context.ts'
import { type Finding, findingsOf, ownMessage } from './finding.ts'

const { ok, warning, problem } = findingsOf('clock')
/** To connect, and again for the answer. */
const DEADLINE_MS = 3_000
/** AWS refuses signatures that are older or newer: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html */
const MOST_SECONDS = 300
const GOOD_SECONDS = 30
const ANOTHER = 'name another server: --date-from <url>; or leave it out: --offline'
const SET_CLOCK = 'sudo timedatectl set-ntp true'

/** When a server said what time it has: all in milliseconds, the last two of this machine's clock. */
interface Answer {
  readonly date: number
  readonly asked: number
  readonly answered: number
}

/** Compares the clocks. Nothing but the hour is asked for, and the server is verified. */
export async function probeClock(input: ProbeInputs['clock']): Promise<Finding[]> {
  const name = 'broker' in input ? 'the broker' : new URL(input.url).host
  let answer: Answer | undefined
  try {
    answer = 'broker' in input ? await askBroker(input.broker) : await askServer(input.url, input.ca)
  } catch (error) {
    return [unreached(name, error)]
  }
  if (answer !== undefined) return [skewFinding(name, answer)]
  return [warning(`the clock was not compared: ${name} does not say what time it has`, ANOTHER)]
}

function unreached(name: string, error: unknown): Finding {
  const codes = [error, (error as Error).cause].map(codeOf)
  if (codes.some((it) => /NOT_YET_VALID|HAS_EXPIRED/.test(it))) {
    return warning(
      `the certificate of ${name} is not valid now, by this machine's clock: one of the two is wrong`,
      SET_CLOCK,
    )
  }
  return warning(`the clock was not compared: ${name} was not reached (${ownMessage(error) ?? codes[0]})`, ANOTHER)
}

function skewFinding(name: string, { date, asked, answered }: Answer): Finding {
  const uncertain = (answered - asked) / 2 + 500 // a Date has whole seconds
  const skew = (asked + answered) / 2 - (date + 500)
  const seconds = Math.round(Math.abs(skew) / 1000)
  const least = (Math.abs(skew) - uncertain) / 1000
  const text = `the clock is ${seconds} s ${skew < 0 ? 'behind' : 'ahead of'} that of ${name}`
  if (least > MOST_SECONDS) return problem(`${text}: AWS refuses what is signed more than 5 minutes off`, SET_CLOCK)
  return least > GOOD_SECONDS ? warning(text, SET_CLOCK) : ok(text)
}

async function askServer(url: string, caFile: string | undefined): Promise<Answer | undefined> {
  const ca = caFile === undefined ? {} : { ca: [...rootCertificates, await readFile(caFile)] }
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(DEADLINE_MS)
    // NODE_TLS_REJECT_UNAUTHORIZED has no say in this.
    const sent = request(url, {
      ...ca,
      method: 'HEAD',
      agent: false,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      signal,
    })
    let asked = Date.now()
    sent.once('socket', (socket) => socket.once('secureConnect', () => (asked = Date.now())))
    sent.once('response', ({ headers }) => {
      resolve(answerOf(headers, asked))
      sent.destroy()
    })
    sent.on('error', (error) => reject(signal.aborted ? LATE : error))
    sent.end()
  })
}

async function askBroker(target: Parameters<typeof connectInitOf>[0]): Promise<Answer | undefined> {
  const connection = await connectEkm({ ...connectInitOf(target), timeoutMs: DEADLINE_MS })
  try {
    const asked = Date.now()
    const { headers } = await connection.request({ method: 'HEAD', path: '/', timeoutMs: DEADLINE_MS })
    return answerOf(headers, asked)
  } finally {
    connection.close()
  }
}

function answerOf(headers: Readonly<Record<string, unknown>>, asked: number): Answer | undefined {
  const answered = Date.now()
  const age = Number(headers.age ?? 0) // of a cache's answer, RFC 9111 §5.1
  const date = Date.parse(String(headers.date)) + (Number.isFinite(age) ? age * 1000 : 0)
  return Number.isNaN(date) ? undefined : { date, asked, answered }
}

const LATE = Object.assign(new Error('late'), { code: 'ETIMEDOUT' })

const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return 'unknown'
  return 'code' in error ? String(error.code) : error.name
}
