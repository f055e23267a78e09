import type { TestEntra } from '../src/azure.ts'
import { askUrl } from './helpers.ts'

export const TENANT = '11111111-2222-4333-8444-555555555555'
export const CLIENT = '66666666-7777-4888-8999-aaaaaaaaaaaa'
export const STORAGE = 'https://storage.azure.com/.default'
export const SECRET = 'example-secret~'

/** The form of a token request that is in order, but for the changes; `undefined` leaves a parameter out. */
export function form(change: Record<string, string | undefined> = {}): string {
  const all = { grant_type: 'client_credentials', client_id: CLIENT, client_secret: SECRET, scope: STORAGE, ...change }
  const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return new URLSearchParams(given).toString()
}

/** Sends {@link form}. */
export async function post(
  to: TestEntra,
  o: { signal?: AbortSignal; headers?: Record<string, string> } = {},
  change: Record<string, string | undefined> = {},
  tenant = TENANT,
) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded;charset=utf-8', ...o.headers }
  const url = `${to.authorityHost}/${tenant}/oauth2/v2.0/token`
  const result = await askUrl(url, { ...o, method: 'POST', headers, ca: to.caPem }, form(change))
  const isJson = result.headers['content-type']?.startsWith('application/json')
  return { ...result, answer: (isJson ? JSON.parse(result.text) : {}) as Record<string, unknown> }
}
