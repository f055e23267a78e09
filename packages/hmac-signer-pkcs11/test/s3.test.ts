import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { hardwareCredentials, hmacSignerConstructor } from '@hardbound/sigv4-hmac'
import { startAws } from '@hardbound/testkit'
import { createSoftHsm } from '@hardbound/testkit/hardware'
import { expect, it } from '@jest/globals'
import { importPkcs11HmacKey, openPkcs11Hmac } from '../src/index.ts'
import { faults, KEY } from './helpers.ts'

it('lists a bucket with an S3 client whose secret is only in the token, which is asked once', async () => {
  const [softHsm, aws] = await Promise.all([createSoftHsm(), startAws()])
  softHsm.activate()
  const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'
  aws.addUser({ accessKeyId, secretAccessKey: KEY.toString('utf8', 4), arn: 'arn:aws:iam::111122223333:user/machine' })
  aws.addBucket('reports', { 'june.csv': 'a,b\n' })
  const { uri, knownAnswer } = await importPkcs11HmacKey({ uri: softHsm.uri('aws'), secret: KEY })

  const backend = await openPkcs11Hmac({ uri, knownAnswer, addon: faults.addon })
  faults.reset()
  const s3 = new S3Client({
    region: 'eu-west-1',
    endpoint: aws.endpoint,
    forcePathStyle: true,
    credentials: hardwareCredentials(accessKeyId),
    signerConstructor: hmacSignerConstructor(backend),
  })
  for (let at = 0; at < 3; at++) {
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))
    expect(Contents?.map(({ Key }) => Key)).toEqual(['june.csv'])
  }
  expect(faults.calls.filter((it) => it === 'C_SignInit')).toHaveLength(1)

  await backend.close()
  // M22: with the backend, the key of the day is gone.
  await expect(s3.send(new ListObjectsV2Command({ Bucket: 'reports' }))).rejects.toMatchObject({
    code: 'ERR_HMAC_CLOSED',
  })
  s3.destroy()
  await Promise.all([softHsm.remove(), aws.close()])
})
