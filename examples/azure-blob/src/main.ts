import { readFile } from 'node:fs/promises'
import { BlobServiceClient, type StoragePipelineOptions } from '@azure/storage-blob'
import { type AttestationSource, EkmCredential } from '@hardbound/azure-ekm-credential'

/** What the workload is told by its environment. The Dockerfile says which of it the VM's operator may set. */
export type Setting = 'AUDIENCE' | 'BLOB_ENDPOINT' | 'CONTAINER' | 'HARDBOUND_BROKER' | 'HARDBOUND_BROKER_CA'

/** Stand-ins for what the VM and its cloud give. */
export interface Surroundings {
  /** Default: the launcher of the Confidential Space VM. */
  readonly attestation?: AttestationSource
  /** How to reach the storage service. Default: as the SDK does. */
  readonly storage?: StoragePipelineOptions
}

/**
 * Reads the blobs of a container with a token that only this image, on this VM, can get.
 *
 * @returns The content of every blob, by its name.
 * @throws {TypeError} naming a setting that is missing.
 */
export async function main(
  env: Readonly<Partial<Record<Setting, string>>>,
  { attestation, storage }: Surroundings = {},
): Promise<Record<string, string>> {
  const setting = (name: Setting): string => env[name] || missing(name)
  const credential = new EkmCredential({
    broker: { url: setting('HARDBOUND_BROKER'), ca: await readFile(setting('HARDBOUND_BROKER_CA')) },
    audience: setting('AUDIENCE'),
    ...(attestation === undefined ? {} : { attestation }),
  })
  const service = new BlobServiceClient(setting('BLOB_ENDPOINT'), credential, storage)
  const container = service.getContainerClient(setting('CONTAINER'))
  const blobs: Record<string, string> = {}
  for await (const { name } of container.listBlobsFlat()) {
    blobs[name] = (await container.getBlobClient(name).downloadToBuffer()).toString('utf8')
  }
  return blobs
}

function missing(name: Setting): never {
  throw new TypeError(`${name} is not set`)
}
