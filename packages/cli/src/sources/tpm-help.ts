import { SESSION_HELP } from '../internal/session-flags.ts'

/** `hardbound aws tpm --help` */
export const AWS_TPM_HELP = `Usage: hardbound aws tpm --tpm <address> (--handle <handle> | --key <file>) --access-key-id <id> --region <region> [options]

Prints short-lived AWS credentials, asked for with an IAM user's secret that is in a TPM: a credential_process for AWS tools.
hardbound tpm import puts it there, and prints the line to use.

TPM
  --tpm <address>        /dev/tpmrm0, or unix:/path of a swtpm (required)
  --handle <handle>      the key is kept in the TPM, at 0x81…
  --key <file>           the key is in this file, a TSS2 PRIVATE KEY
  --key-auth <source>    password of the key: file:/path (mode 0600), fd:N, env:NAME or prompt
  --parent-auth <source> password of its parent, or of the hierarchy that the parent is made in
  --pcrs <list>          PCRs that the key is bound to, such as sha256:0,7
  --use-ek-parent        the parent is the endorsement key, RSA; --ek-parent ecc for the other one
  --dangerously-allow-tcp  take swtpm:host:port or mssim:host:port, for tests
  --tpm-timeout <seconds>  for one HMAC (default: 5; 30 with --key or encryption)

Encryption between here and the TPM: without it, passwords and the key of a day cross its bus in clear
  --session-encryption-name <hex>  name of the key that sessions are salted to; hardbound tpm name shows it
  --session-encryption-key <key>   ek-rsa, ek-ecc, srk-rsa, srk-ecc or a persistent handle (default: ek-rsa)

${SESSION_HELP}
  --cache                keep the session in ~/.cache/hardbound, readable by you alone, and print it until it is about to end
  -h, --help             show this

Example, in ~/.aws/config:
  [default]
  region = eu-west-1
  credential_process = hardbound aws tpm --tpm /dev/tpmrm0 --key /etc/hardbound/aws.pem --key-auth file:/etc/hardbound/password --access-key-id AKIAIOSFODNN7EXAMPLE --region eu-west-1

A wrong password counts towards the TPM's lockout each time that a tool runs this; the last try before it is never used.
Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`
