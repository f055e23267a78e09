/** Where a login's secret comes from: octets, or a file (mode 0600, ours or root's) that is read for each login. */
export type VaultSecret = { readonly secretId: string | Uint8Array } | { readonly secretIdFile: string }

/** How to get in. */
export type VaultAuth =
  /** A token as it is. */
  | { readonly token: string }
  /** A file with a token, as Vault Agent writes it with `mode = 0600`. Read again when Vault refuses the token. */
  | { readonly tokenFile: string }
  /** AppRole, https://developer.hashicorp.com/vault/docs/auth/approle. `mount`: default `approle`. */
  | { readonly appRole: { readonly roleId: string; readonly mount?: string } & VaultSecret }
  /** A pod's service account. `jwtFile`: default `/var/run/secrets/kubernetes.io/serviceaccount/token`; `mount`: default `kubernetes`. */
  | { readonly kubernetes: { readonly role: string; readonly jwtFile?: string; readonly mount?: string } }
