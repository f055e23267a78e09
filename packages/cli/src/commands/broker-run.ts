import { Command, Option } from 'commander'
import { CliError } from '../cli-error.ts'
import { stopSignal } from '../internal/stop-signal.ts'
import { note } from '../output.ts'

/** `hardbound broker run`: until SIGTERM or SIGINT. */
export function brokerRunCommand(): Command {
  return new Command('run')
    .description('start a broker, and run it until SIGTERM or SIGINT; logs are JSON lines on stderr')
    .requiredOption('-c, --config <file>', 'broker.yaml')
    .addOption(
      new Option('--log-level <level>', 'what to log').choices(['debug', 'info', 'warn', 'error']).default('info'),
    )
    .addHelpText('after', '\nExample:\n  $ hardbound broker run -c /etc/hardbound/broker.yaml')
    .action(runBroker)
}

async function runBroker({ config: source, logLevel }: { config: string; logLevel: string }): Promise<void> {
  const { checkProcess, thisProcess } = await import('../internal/startup-checks.ts')
  const { problems, warnings } = checkProcess(thisProcess())
  if (problems.length > 0) {
    problems.forEach(note)
    throw new CliError('the broker does not start like this')
  }
  process.on('SIGUSR1', () => {}) // Node would open the inspector

  const [{ loadBrokerConfig }, { startBroker }, { destination, pino, stdTimeFunctions }] = await Promise.all([
    import('../broker-config.ts'),
    import('../broker-process.ts'),
    import('pino'),
  ])
  const log = pino(
    { level: logLevel, base: { pid: process.pid }, timestamp: stdTimeFunctions.isoTime },
    destination({ fd: 2, sync: true }),
  )
  process.removeAllListeners('warning').on('warning', ({ name, message }) => log.warn({ warning: name }, message))
  for (const warning of warnings) log.warn(warning)
  const stopped = stopSignal()
  const broker = await startBroker(await loadBrokerConfig(source), log)
  log.info({ listening: { host: broker.host, port: broker.port } }, `listening on ${broker.host} port ${broker.port}`)

  log.info({ signal: await stopped }, 'finishing requests under way')
  await broker.close()
  log.info('stopped')
  process.exit(0)
}
