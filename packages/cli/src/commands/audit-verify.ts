import { Command } from 'commander'
import { CliError, usageError } from '../cli-error.ts'
import { fileProblem } from '../input.ts'
import { print, printJson } from '../output.ts'

/** `hardbound audit verify`: the hash chain of an audit log. */
export function auditVerifyCommand(): Command {
  return new Command('verify')
    .description('verify the hash chain of an audit log; a line that was edited, deleted, moved or repeated is named')
    .argument('<file>', 'audit log of a broker')
    .option('--prev <hash>', 'of a rotated log: the last hash of the file before')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  $ hardbound audit verify audit.jsonl')
    .action(verifyAudit)
}

async function verifyAudit(file: string, { prev, json = false }: { prev?: string; json?: boolean }): Promise<void> {
  if (prev !== undefined && !/^[0-9a-f]{64}$/.test(prev)) throw usageError('--prev must be 64 hexadecimal digits')
  const { verifyAuditFile } = await import('@hardbound/broker-core')
  const verdict = await verifyAuditFile(file, prev === undefined ? {} : { prev }).catch((cause: unknown) => {
    throw new CliError(`${file} ${fileProblem(cause)}`, { cause })
  })
  if (!verdict.ok) process.exitCode = 1
  if (json) return printJson(verdict)
  if (verdict.ok)
    return print(`${file}: ${verdict.records} records, the chain is intact; last hash ${verdict.lastHash}`)
  const why =
    verdict.reason === 'format' ? 'is not a whole record, or was edited' : 'does not follow the line before it'
  throw new CliError(`${file}: line ${verdict.line} ${why}`)
}
