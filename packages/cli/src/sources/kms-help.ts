import { VAULT_HELP } from '../internal/kms-flags.ts'
import { SESSION_HELP } from '../internal/session-flags.ts'

/** `hardbound aws kms --help` */
export const AWS_KMS_HELP = `Usage: hardbound aws kms (--envelope <file> | --vault <url> … | --tink-keyset <file> --kek <uri>) --access-key-id <id> --region <region> [options]

Prints short-lived AWS credentials, asked for with an IAM user's secret that a KMS guards: a credential_process for AWS tools.
hardbound kms wrap puts it there, and prints the line to use.

AWS KMS and Google Cloud KMS: the secret is decrypted, used once in memory, and wiped
  --envelope <file>      what hardbound kms wrap has written
  --tink-keyset <file>   a Tink keyset in JSON, encrypted, that holds an HmacKey of AWS4 and the secret
  --kek <uri>            the key that encrypts it: aws-kms://arn:… or gcp-kms://projects/…
  --kms-profile <name>   profile of ~/.aws/config whose keys may use AWS KMS; it must not use this command itself
  --kms-endpoint <url>   another endpoint, for VPC endpoints
  --kms-timeout <seconds>  for one HMAC (default: 10; Vault: 5)
AWS KMS needs the package @aws-sdk/client-kms beside this one, Google Cloud KMS @google-cloud/kms and Application Default Credentials.

${VAULT_HELP}
${SESSION_HELP}
  --dangerously-allow-http  take http:// on loopback, for tests and Vault Agent's listener
  --cache                keep the session in ~/.cache/hardbound, readable by you alone, and print it until it is about to end
  -h, --help             show this

Examples, in ~/.aws/config:
  [profile kms]
  credential_process = hardbound aws kms --envelope /etc/hardbound/aws.json --kms-profile instance --access-key-id AKIAIOSFODNN7EXAMPLE --region eu-west-1

  [profile vault]
  credential_process = hardbound aws kms --vault https://vault.example.com:8200 --vault-key aws --vault-auth token:file:/run/vault/token --access-key-id AKIAIOSFODNN7EXAMPLE --region eu-west-1

--proxy leads to STS alone; a KMS or Vault is reached without it.
Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`
