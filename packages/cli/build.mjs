// Bundles each `hardbound aws …` into one CommonJS file: reading many modules would cost more than everything else it does.
import { build } from 'esbuild'

await build({
  entryPoints: ['src/aws-ekm.ts', 'src/aws-tpm.ts', 'src/aws-pkcs11.ts'],
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  conditions: ['@hardbound/source'],
  external: ['@aws-sdk/client-sts', 'pkcs11js'], // optional peers, loaded on use
  legalComments: 'none',
})
