import { fromEkm } from '@hardbound/aws-ekm-credential'
import { AWS_EKM_HELP } from './aws-ekm-help.ts'
import { BROKER_FLAG_OF } from './internal/broker-flags.ts'
import { type EkmFlags, ekmInitOf, parseEkmFlags } from './internal/ekm-flags.ts'
import { inWordsOfFlags } from './internal/flags.ts'
import { runProcessCredential } from './internal/process-credential.ts'

function provider(flags: EkmFlags): ReturnType<typeof fromEkm> {
  const init = ekmInitOf(flags)
  try {
    return fromEkm(init)
  } catch (cause) {
    return inWordsOfFlags(cause, { ...BROKER_FLAG_OF, durationSeconds: '--duration' })
  }
}

void runProcessCredential(
  {
    command: 'hardbound aws ekm',
    help: AWS_EKM_HELP,
    parse: parseEkmFlags,
    provide: (flags) => provider(flags)(),
  },
  process.argv.slice(4),
)
