import { runGoCommand } from '../go-credentials/run-go-command.ts'
import { TPM_FLAGS, tpmCredential } from '../go-credentials/tpm-credential.ts'
import { endAnyway } from '../internal/end-anyway.ts'

const command = { name: 'aws-tpm-process-credential', flags: TPM_FLAGS, provide: tpmCredential }
void runGoCommand(command, process.argv.slice(2)).then(() => endAnyway())
