import { fromEkm } from '@hardbound/aws-ekm-credential'
import { AWS_EKM_HELP } from './aws-ekm-help.ts'
import { type EkmFlags, ekmInitOf, parseEkmFlags } from './internal/ekm-flags.ts'
import { inWordsOfFlags } from './internal/flags.ts'
import { runProcessCredential } from './internal/process-credential.ts'

/** Options that their flags are not simply called like. */
const FLAGS: Readonly<Record<string, string>> = {
  url: '--broker',
  spkiPins: '--pin',
  serverName: '--sni',
  durationSeconds: '--duration',
  timeoutMs: '--timeout',
}

function provider(flags: EkmFlags): ReturnType<typeof fromEkm> {
  const init = ekmInitOf(flags)
  try {
    return fromEkm(init)
  } catch (cause) {
    return inWordsOfFlags(cause, FLAGS)
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
