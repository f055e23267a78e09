import { CHANNEL_JWT_FLAGS, channelJwtCredential } from '../go-credentials/channel-jwt-credential.ts'
import { runGoCommand } from '../go-credentials/run-go-command.ts'

const command = { name: 'aws-channel-jwt-process-credential', flags: CHANNEL_JWT_FLAGS, provide: channelJwtCredential }
void runGoCommand(command, process.argv.slice(2))
