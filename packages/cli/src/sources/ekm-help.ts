import { ATTESTATION_HELP, BROKER_HELP } from '../internal/broker-help.ts'

/** `hardbound aws ekm --help` */
export const AWS_EKM_HELP = `Usage: hardbound aws ekm --broker <url> --audience <audience> (--ca <file> | --pin <pin>) [options]

Prints short-lived AWS credentials for this attested workload: a credential_process for AWS tools.

${BROKER_HELP}

Credentials
  --role-arn <arn>       the role; without it, the one that the broker's rules name for this workload
  --duration <seconds>   length of the session, 900 to 43200 (default: 3600)
  --verify-identity      ask AWS whose the keys are before printing them; needs --region
  --sts-endpoint <url>   where to ask, for VPC endpoints
  --region <region>      whose STS to ask; with go-v1, sent to the broker as well

${ATTESTATION_HELP}

Brokers of the published Go programs
  --protocol <protocol>  v2 or go-v1 (default: v2)
  --access-key-id <id>, --session-name <name>, --no-assume-role

  --cache                keep the session in ~/.cache/hardbound, readable by you alone, and print it until it is about to end
  -h, --help             show this

Example, in ~/.aws/config:
  [default]
  region = eu-west-1
  credential_process = hardbound aws ekm --broker https://broker.example.com --audience https://broker.example.com --ca /etc/hardbound/ca.pem --role-arn arn:aws:iam::111122223333:role/reader

Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`
