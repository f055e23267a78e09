import { readFile } from 'node:fs/promises'
import { paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { type AttestationSource, fromEkm } from '@hardbound/aws-ekm-credential'

/** What the workload is told by its environment. The Dockerfile says which of it the VM's operator may set. */
export type Setting = 'AUDIENCE' | 'AWS_REGION' | 'BUCKET' | 'HARDBOUND_BROKER' | 'HARDBOUND_BROKER_CA' | 'ROLE_ARN'

/**
 * Lists a bucket with keys that only this image, on this VM, can get.
 *
 * @param attestation Default: the launcher of the Confidential Space VM.
 * @returns The names of all objects in the bucket.
 * @throws {TypeError} naming a setting that is missing.
 */
export async function main(
  env: Readonly<Partial<Record<Setting, string>>>,
  attestation?: AttestationSource,
): Promise<string[]> {
  const setting = (name: Setting): string => env[name] || missing(name)
  const credentials = fromEkm({
    broker: { url: setting('HARDBOUND_BROKER'), ca: await readFile(setting('HARDBOUND_BROKER_CA')) },
    audience: setting('AUDIENCE'),
    roleArn: setting('ROLE_ARN'),
    durationSeconds: 900,
    ...(attestation === undefined ? {} : { attestation }),
  })
  const client = new S3Client({ region: setting('AWS_REGION'), credentials })
  try {
    const names: string[] = []
    for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: setting('BUCKET') })) {
      names.push(...Contents.map(({ Key = '' }) => Key))
    }
    return names
  } finally {
    client.destroy()
  }
}

function missing(name: Setting): never {
  throw new TypeError(`${name} is not set`)
}
