export { Pkcs12Error, type Pkcs12ErrorCode } from './errors.ts'
export { type ReadPkcs12Options, readPkcs12 } from './read-pkcs12.ts'
export type { Pkcs12Contents, Pkcs12Entry } from './types.ts'
