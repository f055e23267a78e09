import type { AuditSink } from '@hardbound/broker-core'

/** An audit sink that is opened later. Until then it isn't ready, and records wait. */
export interface LateAuditSink extends AuditSink {
  /**
   * Takes the sink that is being opened; to be called once. Where opening fails, so do the records that wait.
   *
   * @throws what opening throws.
   */
  open(opening: Promise<AuditSink>): Promise<void>
}

/** Makes an audit sink for a broker that must have its port before it may touch its audit log. */
export function createLateAuditSink(): LateAuditSink {
  let sink: AuditSink | undefined
  let begin!: (opening: Promise<AuditSink>) => void
  const opened = new Promise<AuditSink>((resolve) => {
    begin = resolve
  })
  return {
    async open(opening) {
      begin(opening)
      sink = await opened
    },
    append: async (record) => (await opened).append(record),
    ready: () => sink?.ready() ?? false,
    close: async () => sink?.close(),
  }
}
