import { IDENTITY_HELP } from '../internal/identity-flags.ts'
import { ROLES_ANYWHERE_HELP } from '../internal/roles-anywhere-flags.ts'

/** `hardbound aws roles-anywhere --help` */
export const AWS_ROLES_ANYWHERE_HELP = `Usage: hardbound aws roles-anywhere --trust-anchor-arn <arn> --profile-arn <arn> --role-arn <arn> <identity> [options]

Prints short-lived AWS credentials for a machine that has an X.509 certificate, by IAM Roles Anywhere: a credential_process for AWS tools.

${ROLES_ANYWHERE_HELP}
${IDENTITY_HELP}
  --cache                keep the session in ~/.cache/hardbound, readable by you alone, and print it until it is about to end
  -h, --help             show this

Example, in ~/.aws/config:
  [default]
  region = eu-west-1
  credential_process = hardbound aws roles-anywhere --certificate /etc/pki/client.pem --private-key /etc/pki/client.key --trust-anchor-arn arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/41c10bae-6783-40d4-ab20-65dc5d922e45 --profile-arn arn:aws:rolesanywhere:eu-west-1:111122223333:profile/41c10bae-6783-40d4-ab20-65dc5d922e45 --role-arn arn:aws:iam::111122223333:role/reader

Certificate and key are checked before anything is sent: that they belong together, are valid, and what the service wants of them.
Tokens need the package pkcs11js, a native addon, stores of Windows and macOS the package koffi.
Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`
