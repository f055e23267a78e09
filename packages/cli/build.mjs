// Bundles each `hardbound aws …` and `hardbound azure …` into one CommonJS file: reading many modules would cost more than everything else it does.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Loaded on use, from where it is: only there are the cloud SDKs beside it. Its `/vault`, which needs none, is bundled. */
const kmsLibraryOnUse = {
  name: 'kms-library-on-use',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^@hardbound\/hmac-signer-kms$/ }, ({ path }) => ({ path, external: true })),
}

/** What a single identity needs, in a file of its own beside the command of all identities: what is not read costs nothing. */
const LIBRARIES = {
  store: ['@hardbound/roles-anywhere/store'],
  tpm2: ['@hardbound/tpm2', '@hardbound/tpm2/keys', '@hardbound/tpm2/key-file', '@hardbound/tpm2/signing-key'],
  pkcs11: ['@hardbound/pkcs11', '@hardbound/pkcs11/signing-key'],
  sts: ['@hardbound/sigv4-hmac', '@hardbound/sigv4-hmac/sts'],
  'ml-dsa': ['@noble/post-quantum/ml-dsa.js'],
  'node-forge': ['node-forge'],
}
const libraryOf = new Map(Object.entries(LIBRARIES).flatMap(([file, names]) => names.map((name) => [name, file])))

/**
 * Libraries are loaded by `require`: `import()` would start Node's loader of ES modules, which takes longer than they do.
 *
 * @param self The one that is made now.
 */
const librariesOnUse = (self) => ({
  name: 'libraries-on-use',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[@\w]/ }, ({ path }) => {
      const file = libraryOf.get(path)
      return file === undefined || file === self ? undefined : { path: file, namespace: 'library' }
    })
    onResolve({ filter: /^\.\/library-/ }, ({ path }) => ({ path, external: true }))
    onLoad({ filter: /./, namespace: 'library' }, ({ path }) => ({
      contents: `module.exports = require('./library-${path}.cjs')`,
    }))
  },
})

const common = {
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  conditions: ['@hardbound/source'],
  external: ['@aws-sdk/client-sts', 'pkcs11js'], // optional peers, loaded on use
  logOverride: { 'empty-import-meta': 'silent' }, // CommonJS has __filename
  legalComments: 'none',
}
const command = { ...common, outdir: 'dist', outExtension: { '.js': '.cjs' } }

await build({
  ...command,
  entryPoints: ['src/aws-ekm.ts', 'src/aws-tpm.ts', 'src/aws-pkcs11.ts', 'src/aws-kms.ts', 'src/azure-ekm.ts'],
  plugins: [kmsLibraryOnUse],
})
await build({ ...command, entryPoints: ['src/aws-roles-anywhere.ts'], plugins: [librariesOnUse()] })

const rolesAnywhere = fileURLToPath(new URL('../roles-anywhere/', import.meta.url))
for (const [file, names] of Object.entries(LIBRARIES)) {
  const contents =
    file === 'node-forge'
      ? "module.exports = require('node-forge')"
      : names.map((name) => `export * from '${name}'`).join('\n')
  const stdin = { contents, resolveDir: rolesAnywhere }
  await build({ ...common, stdin, outfile: `dist/library-${file}.cjs`, plugins: [librariesOnUse(file)] })
}
// Their licences want to be with them.
const licences = ['@noble/post-quantum', 'node-forge'].map((name) => {
  const text = readFileSync(join(rolesAnywhere, 'node_modules', name, 'LICENSE'), 'utf8')
  return `${name}\n\n${text}`
})
writeFileSync('dist/library-licenses.txt', licences.join('\n'))
