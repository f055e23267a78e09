/** Runs works one after the other, in the order in which they came. */
export class FifoLock {
  #tail: Promise<unknown> = Promise.resolve()

  /** Waits for all works before, whatever became of them. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work)
    this.#tail = done.catch(() => {})
    return done
  }
}
