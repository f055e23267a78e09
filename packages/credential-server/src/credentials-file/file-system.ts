import type * as promises from 'node:fs/promises'

/** What is used of `node:fs/promises`; tests stop it at each of its calls. */
export type FileSystem = Pick<
  typeof promises,
  'open' | 'stat' | 'lstat' | 'realpath' | 'mkdir' | 'readdir' | 'rename' | 'unlink'
>
