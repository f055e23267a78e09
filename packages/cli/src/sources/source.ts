import type { ParseArgsConfig } from 'node:util'
import type { EkmCredential } from '@hardbound/azure-ekm-credential'
import type { AwsSessionProvider } from '@hardbound/credential-server'

/** What was given of a source's options. */
export type Flags = Readonly<Record<string, string | boolean | string[] | undefined>>

/** Tells the operator of something that is no failure yet. The message holds no secret. */
export type Warn = (message: string) => void

interface Source<Opened> {
  /** What `hardbound aws`, `hardbound serve` and `hardbound update` call it. */
  readonly name: string
  readonly help: string
  /** For `parseArgs` of `node:util`. */
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** Flags that may name a file or folder whose contents decide whose session it is. */
  readonly files: readonly string[]
  /**
   * Checks all flags and reads the files they name; asks for no password and opens no device before there is need of it.
   *
   * @throws {CliError} naming the flag.
   */
  open(flags: Flags, warn: Warn): Opened | Promise<Opened>
}

/** Where sessions of AWS come from; `hardbound aws <name>` prints one. */
export interface AwsSource extends Source<OpenAwsSource> {
  readonly cloud: 'aws'
}

/** A source that is ready. */
export interface OpenAwsSource {
  /**
   * A new session; may be called again and again.
   *
   * @throws {CliError}, or an error with an `ERR_…` code whose message may be shown.
   */
  readonly provide: AwsSessionProvider
  /** Gives devices back and forgets secrets. */
  readonly close: () => Promise<void>
}

/** Where tokens of Entra come from. It keeps none: whoever asks does. */
export interface AzureSource extends Source<Pick<EkmCredential, 'getToken'>> {
  readonly cloud: 'azure'
}

/** The same source, which also tells the operator why there is no session: whoever asks it is told a code alone. */
export function tellingWhy({ provide, close }: OpenAwsSource, tell: (error: unknown) => void): OpenAwsSource {
  const provideOrTell: AwsSessionProvider = async () => {
    try {
      return await provide()
    } catch (error) {
      tell(error)
      throw error
    }
  }
  return { provide: provideOrTell, close }
}
