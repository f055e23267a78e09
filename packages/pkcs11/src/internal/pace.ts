/** Whether to wait for a token in place. */
export interface Pace {
  readonly inPlace: boolean
  /** Notes how long an answer took. */
  took(milliseconds: number): void
}

const IN_A_ROW = 3

/**
 * A call on another thread leaves the event loop free and costs a thread hop, which is several times what a fast token takes for
 * an HMAC. So: on another thread until three answers in a row came within the limit; in place until three in a row did not.
 *
 * @param limitMs Milliseconds that the event loop may be blocked. 0: never in place.
 */
export function createPace(limitMs: number): Pace {
  let inPlace = false
  let against = 0
  return {
    get inPlace() {
      return inPlace
    },
    took(milliseconds) {
      const fast = milliseconds < limitMs
      against = fast === inPlace ? 0 : against + 1
      if (against < IN_A_ROW) return
      inPlace = fast
      against = 0
    },
  }
}
