import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { hardwareCredentials, hmacSignerConstructor } from '@hardbound/sigv4-hmac'
import { startAws } from '@hardbound/testkit'
import { startSwtpm } from '@hardbound/testkit/hardware'
import { expect, it } from '@jest/globals'
import { importTpmHmacKey, openTpmHmac } from '../src/index.ts'
import { PASSWORD, SECRET } from './lab.ts'

it('lists a bucket with an S3 client whose secret is only in the TPM', async () => {
  const [swtpm, aws] = await Promise.all([startSwtpm(), startAws()])
  const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'
  aws.addUser({
    accessKeyId,
    secretAccessKey: SECRET.toString('utf8', 4),
    arn: 'arn:aws:iam::111122223333:user/machine',
  })
  aws.addBucket('reports', { 'june.csv': 'a,b\n' })
  const { pem = '', knownAnswer } = await importTpmHmacKey({ tpm: swtpm.address, secret: SECRET, keyAuth: PASSWORD })

  const backend = await openTpmHmac({ tpm: swtpm.address, key: { pem }, keyAuth: PASSWORD, knownAnswer })
  const s3 = new S3Client({
    region: 'eu-west-1',
    endpoint: aws.endpoint,
    forcePathStyle: true,
    credentials: hardwareCredentials(accessKeyId),
    signerConstructor: hmacSignerConstructor(backend),
  })
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))
  expect(Contents?.map(({ Key }) => Key)).toEqual(['june.csv'])

  await backend.close()
  // M22: with the backend, the key of the day is gone.
  await expect(s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))).rejects.toMatchObject({
    code: 'ERR_HMAC_CLOSED',
  })
  s3.destroy()
  await Promise.all([swtpm.stop(), aws.close()])
})
