import { PKCS11_HELP } from '../internal/pkcs11-flags.ts'
import { SESSION_HELP } from '../internal/session-flags.ts'

/** `hardbound aws pkcs11 --help` */
export const AWS_PKCS11_HELP = `Usage: hardbound aws pkcs11 --uri <uri> --access-key-id <id> --region <region> [options]

Prints short-lived AWS credentials, asked for with an IAM user's secret that is in a PKCS #11 token: a credential_process for AWS tools.
hardbound pkcs11 import puts it there, and prints the line to use.

${PKCS11_HELP}
${SESSION_HELP}
  --cache                keep the session in ~/.cache/hardbound, readable by you alone, and print it until it is about to end
  -h, --help             show this

Example, in ~/.aws/config:
  [default]
  region = eu-west-1
  credential_process = hardbound aws pkcs11 --uri "pkcs11:token=hsm;object=aws?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/hardbound/pin" --access-key-id AKIAIOSFODNN7EXAMPLE --region eu-west-1

A wrong PIN is tried once: the token remembers it, and later runs do not try until somebody has logged in with the right one.
It needs the package pkcs11js, a native addon; where that is missing, the error says what to type.
Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`
