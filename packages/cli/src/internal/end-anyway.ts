/**
 * Ends this process in a second if it has not ended by then. A TPM or a module that hangs keeps its thread, and even process.exit()
 * waits for that; AWS tools would wait for ever.
 */
export function endAnyway(): void {
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1_000).unref()
}
