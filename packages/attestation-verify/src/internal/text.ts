import { Rejection } from './pipeline.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text in canonical base64 (RFC 4648 §4) of UTF-8. */
export function textOfBase64(base64: string): string {
  const octets = Buffer.from(base64, 'base64')
  if (octets.toString('base64') !== base64) throw new Rejection('not canonical base64')
  try {
    return UTF8.decode(octets)
  } catch {
    throw new Rejection('not base64 of UTF-8')
  }
}
