import { startSwtpm, startTpmProxy, type TestSwtpm, type TestTpmProxy } from '@hardbound/testkit/hardware'
import { create, createPrimary, hmacKeyTemplate, type LoadedObject, load } from '../src/commands.ts'
import { type OpenTpmInit, openTpm, openTransport, type Tpm } from '../src/index.ts'
import type { ObjectAttribute } from '../src/public-area.ts'
import type { Authorization, Session } from '../src/tpm.ts'

/** What AWS signs with: 44 octets. */
export const SECRET = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')

export const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex')
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

/** A software TPM, a recording proxy before it, and a client on that. */
export interface Bench {
  readonly swtpm: TestSwtpm
  readonly proxy: TestTpmProxy
  readonly tpm: Tpm
  /** Another client, over a connection of its own. Flushes what others have made. */
  open(init?: Partial<OpenTpmInit>): Promise<Tpm>
  stop(): Promise<void>
}

export async function startBench(): Promise<Bench> {
  const swtpm = await startSwtpm()
  const proxy = await startTpmProxy(swtpm.address)
  const open = (init: Partial<OpenTpmInit> = {}): Promise<Tpm> =>
    openTpm({ transport: () => openTransport(proxy.address), ...init })
  const tpm = await open()
  return {
    swtpm,
    proxy,
    tpm,
    open,
    async stop() {
      proxy.fault = () => undefined
      await tpm.close()
      await proxy.close()
      await swtpm.stop()
    },
  }
}

export const HMAC_KEY: readonly ObjectAttribute[] = ['fixedTPM', 'fixedParent', 'userWithAuth', 'sign']

/** An HMAC key of {@link SECRET} below the H2 primary key; both are loaded. */
export async function loadHmacKey(
  tpm: Tpm,
  init: {
    userAuth?: Uint8Array
    authPolicy?: Uint8Array
    attributes?: readonly ObjectAttribute[]
    sessions?: readonly Session[]
    auth?: Authorization
  } = {},
): Promise<{ parent: LoadedObject; key: LoadedObject }> {
  const parent = await createPrimary(tpm, { hierarchy: 'owner', template: 'h2-ecc' })
  const { userAuth, authPolicy, attributes = HMAC_KEY, sessions } = init
  const wrapped = await create(tpm, {
    parent,
    template: hmacKeyTemplate({ attributes, ...(authPolicy === undefined ? {} : { authPolicy }) }),
    sensitiveData: SECRET,
    ...(userAuth === undefined ? {} : { userAuth }),
    ...(sessions === undefined ? {} : { sessions }),
  })
  return { parent, key: await load(tpm, { parent, ...wrapped }) }
}
