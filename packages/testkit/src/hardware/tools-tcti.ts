/** tpm2-tss before 4.0 can't dial a UNIX socket by itself, so it gets a program that does. No spaces within: it is split at them. */
const DIAL = 's=require("net").connect(process.argv[1]);process.stdin.pipe(s).pipe(process.stdout)'

/** @returns What tpm2-tools want in `TPM2TOOLS_TCTI` to speak to a TPM behind a UNIX socket. */
export function toolsTcti(path: string): string {
  return `cmd:${process.execPath} -e '${DIAL}' ${path}`
}
