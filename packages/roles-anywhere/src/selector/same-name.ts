import type { Name } from './name.ts'

/**
 * Whether two names have the same attributes, each as often as the other. Neither their order nor how they are grouped counts, as Go,
 * OpenSSL and Windows write one name in three orders; values count character by character.
 */
export function sameName(one: Name, other: Name): boolean {
  const [mine, theirs] = [listed(one), listed(other)]
  return mine.length === theirs.length && mine.every((it, index) => it === theirs[index])
}

const listed = (name: Name): string[] =>
  name
    .flat()
    .map(({ oid, value }) => `${oid}=${value}`)
    .sort()
