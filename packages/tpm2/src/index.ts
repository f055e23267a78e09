export { HASHES, type HashAlgorithm } from './algorithms.ts'
export { Tpm2Error, type Tpm2ErrorCode } from './errors.ts'
export type { CommandName } from './internal/command-table.ts'
export { type OpenTpmInit, openTpm } from './open-tpm.ts'
export { type OpenTransportOptions, openTransport } from './open-transport.ts'
export type {
  EccPublicArea,
  KeyedHashPublicArea,
  ObjectAttribute,
  PublicArea,
  RsaPublicArea,
  SymcipherPublicArea,
} from './public-area.ts'
export { decodePublic, encodePublic, nameOf } from './public-codec.ts'
export { TEMPLATES, type TemplateName } from './templates.ts'
export type {
  Authorization,
  CallOptions,
  ObjectHandle,
  Session,
  Tpm,
  TpmCommand,
  TpmResponse,
} from './tpm.ts'
export type { TpmTransport } from './transport.ts'
