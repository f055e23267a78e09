// Bundles each `hardbound aws …` and `hardbound azure …`, and each drop-in command, into one CommonJS file: reading many modules would cost
// more than everything else that it does.
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

/** What not every run needs, in files of their own beside the commands: what is not read costs nothing. */
const LIBRARIES = {
  store: ['@hardbound/roles-anywhere/store', '@hardbound/roles-anywhere/certificate-data'],
  tpm2: ['@hardbound/tpm2', '@hardbound/tpm2/keys', '@hardbound/tpm2/key-file', '@hardbound/tpm2/signing-key'],
  pkcs11: ['@hardbound/pkcs11', '@hardbound/pkcs11/signing-key'],
  sts: ['@hardbound/sigv4-hmac', '@hardbound/sigv4-hmac/sts'],
  'credential-server': ['@hardbound/credential-server', '@hardbound/credential-server/update'],
  cache: ['@hardbound/credential-server/cache'],
  'ml-dsa': ['@noble/post-quantum/ml-dsa.js'],
  pkcs12: ['@hardbound/pkcs12'], // with node-forge in it
}
const libraryOf = new Map(Object.entries(LIBRARIES).flatMap(([file, names]) => names.map((name) => [name, file])))

/**
 * Libraries are loaded by `require`: `import()` would start Node's loader of ES modules, which takes longer than they do.
 *
 * @param inline Those that the file can't do without, or that are made now: they become part of it.
 */
const librariesOnUse = (...inline) => ({
  name: 'libraries-on-use',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[@\w]/ }, ({ path }) => {
      const file = libraryOf.get(path)
      return file === undefined || inline.includes(file) ? undefined : { path: file, namespace: 'library' }
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
const command = (entry, ...inline) =>
  build({
    ...common,
    entryPoints: [entry],
    outfile: entry.replace(/^.*\/(.*)\.ts$/, 'dist/$1.cjs'),
    plugins: [kmsLibraryOnUse, librariesOnUse(...inline)],
  })

await command('src/aws-ekm.ts')
await command('src/aws-tpm.ts', 'tpm2', 'sts')
await command('src/aws-pkcs11.ts', 'pkcs11', 'sts')
await command('src/aws-kms.ts', 'sts')
await command('src/aws-roles-anywhere.ts')
await command('src/azure-ekm.ts')
await command('src/drop-in/aws-signing-helper.ts')
await command('src/drop-in/aws-tpm-process-credential.ts', 'tpm2', 'sts')
await command('src/drop-in/aws-pkcs-process-credential.ts', 'pkcs11', 'sts')
await command('src/drop-in/aws-channel-jwt-process-credential.ts')

const packages = fileURLToPath(new URL('..', import.meta.url))
/** Where a library is found that is no dependency of this package, but of another one of ours. */
const FOUND_IN = { 'ml-dsa': 'roles-anywhere', pkcs12: 'roles-anywhere' }
for (const [file, names] of Object.entries(LIBRARIES)) {
  const contents = names.map((name) => `export * from '${name}'`).join('\n')
  const stdin = { contents, resolveDir: join(packages, FOUND_IN[file] ?? 'cli') }
  await build({ ...common, stdin, outfile: `dist/library-${file}.cjs`, plugins: [librariesOnUse(file)] })
}
// The licences of what is not ours want to be with it.
const licences = ['roles-anywhere/node_modules/@noble/post-quantum', 'pkcs12/node_modules/node-forge'].map((path) => {
  const text = readFileSync(join(packages, path, 'LICENSE'), 'utf8')
  return `${path.replace(/^.*node_modules\//, '')}\n\n${text}`
})
writeFileSync('dist/library-licenses.txt', licences.join('\n'))
