import { Command } from 'commander'
import { note, print, printJson } from '../output.ts'

/** `hardbound broker check`: everything `broker run` would look at, without opening or asking anything. */
export function brokerCheckCommand(): Command {
  return new Command('check')
    .description('check a configuration and every file it names, and show what would be granted to whom')
    .requiredOption('-c, --config <file>', 'broker.yaml')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  $ hardbound broker check -c broker.yaml')
    .action(checkBroker)
}

async function checkBroker({ config: source, json = false }: { config: string; json?: boolean }): Promise<void> {
  const [{ loadBrokerConfig }, { prepareBroker }, { summarisePolicy }, { ConfigError }] = await Promise.all([
    import('../broker-config.ts'),
    import('../prepare-broker.ts'),
    import('../internal/policy-summary.ts'),
    import('../internal/config-error.ts'),
  ])
  try {
    const config = await loadBrokerConfig(source)
    const { policy, policyDocument, warnings } = await prepareBroker(config)
    const summary = {
      listen: `${config.listen.host} port ${config.listen.port}`,
      client_certificates: config.tls.client_ca_file === undefined ? 'not asked for' : 'required',
      attestation: config.attestation.issuers.map(({ type }) => type).join(', '),
      audience: config.attestation.audience,
      policy_version: policy.version,
    }
    const rules = summarisePolicy(policyDocument)
    if (json) return printJson({ ok: true, ...summary, rules, warnings, problems: [] })
    for (const { path, problem } of warnings) note(`warning: ${path}: ${problem}`)
    for (const [name, value] of Object.entries(summary)) print(`${name.replaceAll('_', ' ').padEnd(20)}${value}`)
    if (rules.length === 0) print('\nno rules: everything is denied')
    for (const { rule, to, grants } of rules)
      print(`\nrule ${rule}\n  to      ${to.join('\n          ')}\n  grants  ${grants}`)
  } catch (error) {
    if (!json || !(error instanceof ConfigError)) throw error
    printJson({ ok: false, warnings: [], problems: error.problems })
    process.exitCode = 1
  }
}
