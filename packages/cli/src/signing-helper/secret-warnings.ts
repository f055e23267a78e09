const PASSWORDS = ['pkcs8-password', 'tpm-key-password']
const URIS = ['certificate', 'private-key']

/** What to say of secrets on the command line, where every user of the machine can read them. */
export function secretWarnings(values: Readonly<Record<string, unknown>>): string[] {
  const visible = [
    ...PASSWORDS.filter((name) => typeof values[name] === 'string' && values[name] !== '').map((name) => `--${name}`),
    ...URIS.filter((name) => hasPin(values[name])).map((name) => `pin-value in --${name}`),
  ]
  return visible.map((it) => `warning: ${it}: other users of this machine can see arguments`)
}

const hasPin = (uri: unknown): boolean => typeof uri === 'string' && /[;?&]pin-value=./.test(uri)
