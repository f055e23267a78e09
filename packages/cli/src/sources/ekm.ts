import { fromEkm } from '@hardbound/aws-ekm-credential'
import { BROKER_FILES, BROKER_FLAG_OF } from '../internal/broker-flags.ts'
import { EKM_OPTIONS, type EkmFlags, ekmInitOf } from '../internal/ekm-flags.ts'
import { inWordsOfFlags } from '../internal/flags.ts'
import { AWS_EKM_HELP } from './ekm-help.ts'
import type { AwsSource } from './source.ts'

/** An attested workload, by a broker. */
export const ekmSource: AwsSource = {
  cloud: 'aws',
  name: 'ekm',
  help: AWS_EKM_HELP,
  options: EKM_OPTIONS,
  files: BROKER_FILES,
  open: (flags: EkmFlags) => {
    let next: ReturnType<typeof fromEkm> | undefined = providerOf(flags)
    const provide = async () => {
      const provider = next ?? providerOf(flags) // CA, certificate and key may have been renewed
      next = undefined
      return provider()
    }
    return { provide, close: async () => {} }
  },
}

function providerOf(flags: EkmFlags): ReturnType<typeof fromEkm> {
  const init = ekmInitOf(flags)
  try {
    return fromEkm(init)
  } catch (cause) {
    return inWordsOfFlags(cause, { ...BROKER_FLAG_OF, durationSeconds: '--duration' })
  }
}
