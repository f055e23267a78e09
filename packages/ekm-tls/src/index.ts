export { type Channel, captureChannel } from './channel.ts'
export {
  assertConnectInit,
  connectEkm,
  type EkmConnectInit,
  type EkmConnection,
  type EkmRequest,
  type EkmResponse,
} from './connect.ts'
export { type Deadline, orAborted, withDeadline } from './deadline.ts'
export { EkmTlsError, type EkmTlsErrorCode } from './errors.ts'
export { type Exporter, exportKeyingMaterial, GO_V1_EXPORTER, TLS_EXPORTER } from './exporter.ts'
export { bindingNonce, goV1Nonces } from './nonce.ts'
export { type ChannelRegistry, captureChannels, ekmServerOptions } from './server.ts'
