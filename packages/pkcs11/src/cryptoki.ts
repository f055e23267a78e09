/** What is used of the package pkcs11js, so that its types need not be installed. Handles are buffers there. */
export type Handle = Buffer

/** An attribute of an object; a CK_ULONG is a number. Read ones are octets as they lie in memory. */
export interface Attribute {
  type: number
  value?: number | boolean | string | Buffer
}

export interface Mechanism {
  mechanism: number
  parameter?: Buffer | number | PssParameter
}

/** CK_RSA_PKCS_PSS_PARAMS. `type` tells the addon what it is. */
export interface PssParameter {
  type: number
  hashAlg: number
  mgf: number
  saltLen: number
}

interface Version {
  major: number
  minor: number
}

/** The functions of a loaded module. PKCS #11 v2.40, section 5. */
export interface Cryptoki {
  load(path: string): void
  close(): void
  C_Initialize(options?: { flags?: number }): void
  C_Finalize(): void
  C_GetInfo(): { manufacturerID: string; libraryDescription: string; libraryVersion: Version }
  C_GetSlotList(tokenPresent?: boolean): Handle[]
  C_GetSlotInfo(slot: Handle): { slotDescription: string; manufacturerID: string }
  C_GetTokenInfo(slot: Handle): {
    label: string
    manufacturerID: string
    model: string
    serialNumber: string
    flags: number
    maxSessionCount: number
  }
  C_GetMechanismList(slot: Handle): number[]
  C_OpenSession(slot: Handle, flags: number): Handle
  C_CloseSession(session: Handle): void
  C_GetSessionInfo(session: Handle): { state: number }
  C_Login(session: Handle, userType: number, pin: string): void
  C_CreateObject(session: Handle, template: Attribute[]): Handle
  C_DestroyObject(session: Handle, object: Handle): void
  C_FindObjectsInit(session: Handle, template: Attribute[]): void
  C_FindObjects(session: Handle, maxObjectCount: number): Handle[]
  C_FindObjectsFinal(session: Handle): void
  C_GetAttributeValue(session: Handle, object: Handle, template: Attribute[]): Attribute[]
  C_SignInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Sign(session: Handle, data: Buffer, signature: Buffer): Buffer
  C_SignAsync(session: Handle, data: Buffer, signature: Buffer): Promise<Buffer>
}

/** The package pkcs11js. */
export interface Pkcs11Addon {
  PKCS11: new () => Cryptoki
}
