/** @throws {RangeError} */
export function assertInteger(name: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`"${name}" must be ${least} to ${most}, got ${value}`)
  }
}
