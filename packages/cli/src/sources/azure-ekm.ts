import { EkmCredential } from '@hardbound/azure-ekm-credential'
import { BROKER_FILES, BROKER_FLAG_OF, BROKER_OPTIONS, brokerInitOf } from '../internal/broker-flags.ts'
import { type GivenOf, given, inWordsOfFlags, text } from '../internal/flags.ts'
import { AZURE_EKM_HELP } from './azure-ekm-help.ts'
import type { AzureSource } from './source.ts'

const OPTIONS = { ...BROKER_OPTIONS, 'tenant-id': text, 'client-id': text } as const

/** An attested workload's tokens of Entra, by a broker. */
export const azureEkmSource: AzureSource = {
  cloud: 'azure',
  name: 'azure-ekm',
  help: AZURE_EKM_HELP,
  options: OPTIONS,
  files: BROKER_FILES,
  open: (flags: GivenOf<typeof OPTIONS>) => {
    let next: EkmCredential | undefined = credentialOf(flags)
    return {
      getToken: async (scopes, options) => {
        const credential = next ?? credentialOf(flags) // CA, certificate and key may have been renewed
        next = undefined
        return credential.getToken(scopes, options)
      },
    }
  },
}

function credentialOf(flags: GivenOf<typeof OPTIONS>): EkmCredential {
  const init = {
    ...brokerInitOf(flags),
    ...given('tenantId', flags['tenant-id']),
    ...given('clientId', flags['client-id']),
  }
  try {
    return new EkmCredential(init)
  } catch (cause) {
    return inWordsOfFlags(cause, BROKER_FLAG_OF)
  }
}
