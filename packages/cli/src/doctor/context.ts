import type { Finding } from './finding.ts'

/** What was asked for. It is sent to other processes as JSON. */
export interface DoctorOptions {
  /** Only what is on this machine: no clock, no broker. */
  readonly offline: boolean
  readonly broker?: BrokerTarget
  /** Where the time comes from. Default: the broker, else STS. */
  readonly dateFrom?: string
  /** File of further authorities for `dateFrom`. */
  readonly ca?: string
  /** Address of a TPM. Default: the devices of Linux. */
  readonly tpm?: string
  /** Absolute paths of PKCS #11 modules that may be loaded. */
  readonly modules: readonly string[]
  /** The launcher's. Default: where Confidential Space has it. */
  readonly socket?: string
}

/** A broker, and how to get there. Files are named, not read yet. */
export interface BrokerTarget {
  readonly url: string
  readonly address?: string
  readonly serverName?: string
  readonly ca?: string
  readonly pins?: readonly string[]
  readonly cert?: string
  readonly key?: string
  readonly proxy?: string
  /** Where it was found, for messages: empty where it was asked for. */
  readonly where: string
}

/** What is done in a process of its own, and with what. */
export interface ProbeInputs {
  readonly tpm: { readonly address: string }
  /** Default: p11-kit's proxy. */
  readonly 'pkcs11-module': { readonly path?: string }
  readonly clock: { readonly url: string; readonly ca?: string } | { readonly broker: BrokerTarget }
  readonly broker: BrokerTarget
}

/** Drivers, modules of others and the resolver of names may hang, or crash. */
export type Isolate = <P extends keyof ProbeInputs>(probe: P, input: ProbeInputs[P]) => Promise<Finding[]>

/** What every check is given. */
export interface DoctorContext {
  readonly options: DoctorOptions
  readonly env: Readonly<Record<string, string | undefined>>
  /** The user's home folder. */
  readonly home: string
  /** `20.19.0` */
  readonly nodeVersion: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly isolate: Isolate
}

/** One check. It may throw; the text of an error that is not ours is not shown. */
export type Check = (context: DoctorContext) => Promise<Finding[]>
