type Dictionary = Record<string, unknown>

/**
 * Lays `patch` over `base`: objects are merged key by key, all else (arrays too) is replaced, `undefined` deletes.
 *
 * @returns A new object; neither argument is changed.
 */
export function merge(base: object, patch: object): Dictionary {
  const merged: Dictionary = { ...base }
  for (const [key, value] of Object.entries(patch) as [string, unknown][]) {
    const old = merged[key]
    if (value === undefined) delete merged[key]
    else if (isDictionary(value)) merged[key] = merge(isDictionary(old) ? old : {}, value)
    else merged[key] = value
  }
  return merged
}

const isDictionary = (value: unknown): value is Dictionary =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
