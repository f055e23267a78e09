export { createSoftHsm, type SoftHsmKey, type SoftHsmOptions, type TestSoftHsm } from './hardware/softhsm.ts'
export { createPkcs11Faults, type Pkcs11Faults } from './hardware/softhsm-faults.ts'
export { type SwtpmOptions, startSwtpm, type TestSwtpm } from './hardware/swtpm.ts'
export { startTpmProxy, type TestTpmProxy, type TpmExchange, type TpmFault } from './hardware/tpm-proxy.ts'
