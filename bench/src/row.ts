/** One line of the report: a figure, and the same figure of the peer or the floor in the same run. */
export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly against: number
  /** What `against` is. */
  readonly peer: string
  /** `value / against`, or `value - against` for the differences of start-up times. */
  readonly ratio: number
  readonly goal: string
  readonly pass: boolean
}

/** One benchmark: a name to ask for it by, and the run. */
export interface Benchmark {
  readonly name: string
  run(): Promise<Row>
}

/** The middle of the sorted values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * Runs both sides in turns, so that a machine that is busy for a while is busy for both.
 *
 * @returns The median of each side, and the median of the rounds' ratios.
 */
export async function interleaved(
  rounds: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<{ value: number; against: number; ratio: number }> {
  const values: number[] = []
  const againsts: number[] = []
  for (let round = 0; round < rounds; round++) {
    values.push(await ours())
    againsts.push(await theirs())
  }
  return { value: median(values), against: median(againsts), ratio: median(values.map((it, i) => it / againsts[i]!)) }
}

export const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits))
