import type { CredentialServerEvent, CredentialServerInit, RoleHealth, ServerAddress } from '../types.ts'
import type { Route } from './route.ts'

/** One cloud's part of the server. */
export interface Side {
  readonly routes: readonly Route[]
  /** Called before the server listens. @throws {CredentialServerError} */
  prepare?(): Promise<void>
  /** Called once it listens. What it returns undoes it. @throws {CredentialServerError} */
  start?(): Promise<() => Promise<void>>
  health?(): RoleHealth[]
  /** Variables that lead SDKs here. */
  environment(address: ServerAddress, roleName: string | undefined): Record<string, string>
}

/** What both sides are made of. */
export interface SideInit extends Pick<CredentialServerInit, 'limits' | 'clock' | 'random'> {
  /** Fires when the server closes. */
  closing: AbortSignal
  /** Users that are answered; nothing where all are. */
  uids: ReadonlySet<number> | undefined
  emit: (event: CredentialServerEvent) => void
}

/** `http://127.0.0.1:8080` */
export function originOf({ host, port }: ServerAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
