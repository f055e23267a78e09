import { constants, type KeyObject, verify } from 'node:crypto'
import type { KeySource } from '../key-source.ts'
import { isStrongRsa } from './jwks.ts'
import { type Draft, Rejection, type Step } from './pipeline.ts'

/** Takes the key from the issuer's set. `keysOf` answers for issuers that passed `jwt.iss`. */
export function keyStep(keysOf: (issuer: string) => KeySource): Step {
  return {
    check: 'jwt.key',
    needs: ['jwt.alg', 'jwt.kid', 'jwt.iss'],
    async run(draft) {
      const { signal } = draft
      const found = await keysOf(draft.payload.iss as string).getKey(draft.kid, signal && { signal })
      if (found === undefined) throw new Rejection('the issuer has no such key')
      if (found.alg !== undefined && found.alg !== draft.alg) throw new Rejection('the key is for another algorithm')
      draft.key = strongKey(found.key)
      return undefined
    },
  }
}

/** A key that may verify a token, or a rejection. */
export function strongKey(key: KeyObject): KeyObject {
  if (!isStrongRsa(key)) throw new Rejection('not an RSA key of 2048 bits or more')
  return key
}

/** RFC 7515 §5.2, step 8. */
export const signatureStep: Step = { check: 'jwt.sig', needs: ['jwt.key', 'jwt.alg', 'jwt.encoding'], run: signature }

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }

function signature({ token, dots, alg, key, octets }: Draft): undefined {
  const signed = Buffer.from(token.slice(0, dots[1]), 'latin1')
  const valid =
    alg === 'PS384'
      ? verify('sha384', signed, { key, ...PSS }, octets.signature) // RFC 7518 §3.5
      : verify('sha256', signed, key, octets.signature) // RFC 7518 §3.3
  if (!valid) throw new Rejection('does not verify')
}
