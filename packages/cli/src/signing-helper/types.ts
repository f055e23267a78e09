import type { CommandName, FLAGS, FLAGS_OF, FlagName } from './flags.ts'

type ValueOf<N extends FlagName> = (typeof FLAGS)[N]['kind'] extends 'bool'
  ? boolean
  : (typeof FLAGS)[N]['kind'] extends 'int'
    ? number
    : (typeof FLAGS)[N] extends { readonly default: infer T }
      ? T
      : never

/** Values of flags by name. What was not given has its default: `''`, `false`, `MY`, … */
export type FlagValues<N extends FlagName> = { readonly [K in N]: ValueOf<K> } & {
  /** Those that the user typed, whatever their value: a default doesn't count. */
  readonly typed: ReadonlySet<FlagName>
}

/** What a command was given. */
export type FlagsOf<C extends CommandName> = FlagValues<(typeof FLAGS_OF)[C][number]>

/** What says which certificate and key sign. `sign-string` has no `--intermediates`: give `''`. */
export type SignerFlags = Omit<FlagsOf<'sign-string'>, 'format' | 'digest'> & { readonly intermediates: string }

/** What `sign-string` was given. */
export type SignStringFlags = FlagsOf<'sign-string'>

/** What `read-certificate-data` was given. */
export type ReadCertificateDataFlags = FlagsOf<'read-certificate-data'>

/** What `credential-process`, `serve` and `update` share. */
export type SessionFlags = FlagsOf<'credential-process'>

/** Something to say on stderr, in one line and without a secret. Secrets in flags and URIs are warned of before any command runs. */
export type OnHelperWarning = (warning: { readonly code: string; readonly message: string }) => void
