import { Command } from 'commander'
import type { DoctorFlags } from '../doctor/options.ts'
import { several } from '../internal/several.ts'

/** `hardbound doctor`: what is wrong with this machine, and how to mend it. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look at this machine, say what is wrong and how to mend it')
    .option('--json', 'print the result as JSON')
    .option('--broker <url>', 'look at this broker (default: those that profiles name)')
    .option('--ca <file>', 'PEM authorities of the broker; beside the usual ones for --date-from, too')
    .option(
      '--pin <sha256>',
      "SHA-256 of the broker's key, as of hardbound aws ekm; may be given several times",
      several,
    )
    .option(
      '--date-from <url>',
      'compare the clock with this server (default: the broker, else https://sts.amazonaws.com/)',
    )
    .option('--offline', 'only what is on this machine: no clock, no broker')
    .option('--tpm <address>', 'another TPM than /dev/tpmrm0: a device, unix:/path or swtpm:host:port')
    .option('--module <path>', 'load this PKCS #11 module and list its tokens; may be given several times', several)
    .option('--socket <path>', "the launcher's (default: /run/container_launcher/teeserver.sock)")
    .addHelpText(
      'after',
      `
Checks node, launcher, tpm, pkcs11, clock, broker and aws-config: each line is ok, a warning, a PROBLEM, or - where there is none of it
here. It changes nothing, logs in nowhere, asks for no token, and shows no key, PIN or password. Only problems make the exit code 1.

Examples:
  $ hardbound doctor
  $ hardbound doctor --offline --json
  $ hardbound doctor --broker https://broker.example.com --ca /etc/hardbound/ca.pem`,
    )
    .action(async (flags: DoctorFlags) => {
      const { doctorOptionsOf } = await import('../doctor/options.ts')
      const options = doctorOptionsOf(flags)
      const { runDoctor } = await import('../doctor/run-doctor.ts')
      await runDoctor(options, flags.json === true)
    })
}
