/** Gives back a copy of a value that is as it should be, or throws a TypeError or RangeError that names the field. */
export type Check<T> = (value: unknown, field: string) => T

/** Text of a form. `what` completes `"Policy" must be …`. The text itself is not shown: it may be a token code. */
export function text(form: RegExp, what: string): Check<string> {
  return (value, field) => {
    if (typeof value !== 'string' || !form.test(value)) throw new TypeError(`"${field}" must be ${what}`)
    return value
  }
}

/** A whole number between two, both included. */
export function whole(min: number, max: number): Check<number> {
  return (value, field) => {
    if (typeof value !== 'number') throw new TypeError(`"${field}" must be a number`)
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new RangeError(`"${field}" must be a whole number from ${min} to ${max}, got ${value}`)
    }
    return value
  }
}

/** A list with at most so many items. */
export function list<T>(item: Check<T>, max: number): Check<T[]> {
  return (value, field) => {
    if (!Array.isArray(value)) throw new TypeError(`"${field}" must be an array`)
    if (value.length > max) throw new RangeError(`"${field}" must have at most ${max} items, got ${value.length}`)
    return value.map((it, index) => item(it, `${field}[${index}]`))
  }
}

/** An object with known fields alone. Fields that are `undefined` are left out. */
export function record<T extends object>(
  fields: { readonly [K in keyof T]-?: Check<Exclude<T[K], undefined>> },
  required: readonly (keyof T & string)[],
): Check<T> {
  return (value, field) => {
    if (typeof value !== 'object' || value === null) throw new TypeError(`"${field}" must be an object`)
    const known = new Map<string, Check<unknown>>(Object.entries(fields))
    const given = Object.entries(value).filter(([, it]) => it !== undefined)
    const unknown = given.find(([name]) => !known.has(name))
    if (unknown !== undefined) throw new TypeError(`"${field}" has no field ${JSON.stringify(unknown[0].slice(0, 64))}`)
    const missing = required.find((name) => !given.some(([it]) => it === name))
    if (missing !== undefined) throw new TypeError(`"${field}.${missing}" is required`)
    return Object.fromEntries(given.map(([name, it]) => [name, known.get(name)?.(it, `${field}.${name}`)])) as T
  }
}
