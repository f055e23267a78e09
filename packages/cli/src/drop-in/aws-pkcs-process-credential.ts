import { PKCS_FLAGS, pkcsCredential } from '../go-credentials/pkcs-credential.ts'
import { runGoCommand } from '../go-credentials/run-go-command.ts'
import { endAnyway } from '../internal/end-anyway.ts'

const command = { name: 'aws-pkcs-process-credential', flags: PKCS_FLAGS, provide: pkcsCredential }
void runGoCommand(command, process.argv.slice(2)).then(() => endAnyway())
