/**
 * Ends this process in a second if it has not ended by then. A TPM or a module that hangs keeps its thread, and even process.exit()
 * waits for that; AWS tools would wait for ever.
 *
 * @param signal The one that asked for the end, where one did.
 */
export function endAnyway(signal: NodeJS.Signals = 'SIGKILL'): void {
  setTimeout(() => process.kill(process.pid, signal), 1_000).unref()
}
