/** Of every command that asks a broker. */
export const BROKER_HELP = `Broker
  --broker <url>         https://host[:port] of the broker (required)
  --audience <audience>  the audience it expects in attestation tokens (required)
  --ca <file>            PEM authorities its certificate must chain to
  --pin <pin>            SHA-256 of its key, sha256/<base64> or 64 hexadecimal digits; may be given several times
  --address <host:port>  dial this instead of the URL's host
  --sni <name>           name to ask for and to check, instead of the URL's host
  --cert <file>          client certificate chain, PEM
  --key <file>           its key, PEM
  --proxy <url>          http://host:port of a CONNECT proxy; environment variables are not looked at
  --timeout <seconds>    for everything together (default: 30)`

/** Where its attestation comes from. */
export const ATTESTATION_HELP = `Attestation
  --socket <path>        socket of the launcher (default: /run/container_launcher/teeserver.sock)
  --attestation-service <service>  google or intel (default: google)
  --token-type <type>    OIDC or PKI (default: OIDC)`
