import { endianness } from 'node:os'

/** `e_machine`, by Node's name of the architecture. System V ABI, ELF header; elf.h. */
const MACHINES: Readonly<Record<string, number>> = {
  ia32: 3,
  mips: 8,
  mipsel: 8,
  ppc64: 21,
  s390x: 22,
  arm: 40,
  x64: 62,
  arm64: 183,
  riscv64: 243,
  loong64: 258,
}
const WIDE = new Set(['x64', 'arm64', 'ppc64', 's390x', 'riscv64', 'loong64'])
const SHARED_OBJECT = 3 // ET_DYN
/** Octets of a file that have to be read for {@link whatIsWrongWithElf}. */
export const ELF_HEADER = 20

/** Why a file can't be a shared object for this machine; undefined if it can. */
export function whatIsWrongWithElf(header: Buffer, arch: string = process.arch): string | undefined {
  if (header.length < ELF_HEADER || header.readUInt32BE(0) !== 0x7f454c46) return 'is not a shared library (ELF)'
  const little = header[5] === 1
  const read = (at: number): number => (little ? header.readUInt16LE(at) : header.readUInt16BE(at))
  const fits =
    header[4] === (WIDE.has(arch) ? 2 : 1) && little === (endianness() === 'LE') && read(18) === MACHINES[arch]
  if (!fits) return `was built for another machine than ${arch}`
  return read(16) === SHARED_OBJECT ? undefined : 'is not a shared library'
}
