/** A way to a TPM: carries whole commands and whole responses, and knows nothing of what is in them. */
export interface TpmTransport {
  /** Where it leads, for messages: `/dev/tpmrm0`, `unix:/run/swtpm.sock`. */
  readonly description: string
  /**
   * Whether somebody between us and the TPM keeps the slots of its clients apart (`/dev/tpmrm*`). Where nobody does, the
   * device is taken to be ours alone: {@link openTpm} flushes what a client that died has left in it.
   */
  readonly hasResourceManager: boolean
  /** Whether the other end has gone, so that nothing can be sent any more. Default: not known. */
  readonly isClosed?: boolean
  /**
   * One command out, one whole response back, octets as on the wire with their headers. Not re-entrant.
   *
   * @param command Is wiped when the promise has settled: copy what is to be kept.
   * @param options.signal When it fires, the answer is not waited for any longer, and the transport can't be used again.
   * @throws {Tpm2Error} `ERR_TPM_UNREACHABLE`, `ERR_TPM_DEVICE` or `ERR_TPM_RESPONSE`; or the signal's reason.
   */
  transmit(command: Uint8Array, options: { signal: AbortSignal }): Promise<Uint8Array>
  /** Gives the connection back. Never throws; a second call does nothing. */
  close(): Promise<void>
}
