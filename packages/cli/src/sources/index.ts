import { azureEkmSource } from './azure-ekm.ts'
import { ekmSource } from './ekm.ts'
import { kmsSource } from './kms.ts'
import { pkcs11Source } from './pkcs11.ts'
import { rolesAnywhereSource } from './roles-anywhere.ts'
import type { AwsSource, AzureSource } from './source.ts'
import { tpmSource } from './tpm.ts'

/** All that there are, by name. */
export const SOURCES = {
  ekm: ekmSource,
  tpm: tpmSource,
  pkcs11: pkcs11Source,
  kms: kmsSource,
  'roles-anywhere': rolesAnywhereSource,
  'azure-ekm': azureEkmSource,
} as const satisfies Readonly<Record<string, AwsSource | AzureSource>>

/** Name of one of {@link SOURCES}. */
export type SourceName = keyof typeof SOURCES

/** Whether there is such a source. */
export const isSourceName = (name: string): name is SourceName => Object.hasOwn(SOURCES, name)
