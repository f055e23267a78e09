import { ATTESTATION_HELP, BROKER_HELP } from '../internal/broker-help.ts'

/** `hardbound azure ekm --help` */
export const AZURE_EKM_HELP = `Usage: hardbound azure ekm --broker <url> --audience <audience> (--ca <file> | --pin <pin>) --scope <scope> [options]

Prints a short-lived Azure access token for this attested workload, as one line of JSON:
  {"access_token":"...","token_type":"Bearer","expires_on":<seconds since 1970>}

${BROKER_HELP}

Token
  --scope <scope>        what it is for: a resource and /.default, as https://storage.azure.com/.default (required)
  --tenant-id <id>       directory (tenant) that it must be from; without it, the one that the broker's rules name
  --client-id <id>       application (client) that it must be of; without it, the one that the broker's rules name

${ATTESTATION_HELP}

Brokers of the published Go programs
  --protocol <protocol>  v2 or go-v1 (default: v2)

  -h, --help             show this

Example:
  $ hardbound azure ekm --broker https://broker.example.com --audience https://broker.example.com \\
      --ca /etc/hardbound/ca.pem --scope https://storage.azure.com/.default |
    jq -r '"Authorization: Bearer " + .access_token' |
    curl -H @- -H "x-ms-version: 2021-12-02" "https://example.blob.core.windows.net/reports?restype=container&comp=list"

Exit codes: 0 ok, 1 failed or denied, 2 used wrongly.
`
