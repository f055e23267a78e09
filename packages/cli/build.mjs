// Bundles each `hardbound aws …` and `hardbound azure …` into one CommonJS file: reading many modules would cost more than everything else it does.
import { build } from 'esbuild'

/** Loaded on use, from where it is: only there are the cloud SDKs beside it. Its `/vault`, which needs none, is bundled. */
const kmsLibraryOnUse = {
  name: 'kms-library-on-use',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^@hardbound\/hmac-signer-kms$/ }, ({ path }) => ({ path, external: true })),
}

await build({
  entryPoints: ['src/aws-ekm.ts', 'src/aws-tpm.ts', 'src/aws-pkcs11.ts', 'src/aws-kms.ts', 'src/azure-ekm.ts'],
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  conditions: ['@hardbound/source'],
  external: ['@aws-sdk/client-sts', 'pkcs11js'], // optional peers, loaded on use
  plugins: [kmsLibraryOnUse],
  logOverride: { 'empty-import-meta': 'silent' }, // CommonJS has __filename
  legalComments: 'none',
})
