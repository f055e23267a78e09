// Bundles `hardbound aws ekm` into one CommonJS file: reading many modules would cost more than everything else it does.
import { build } from 'esbuild'

await build({
  entryPoints: ['src/aws-ekm.ts'],
  outfile: 'dist/aws-ekm.cjs',
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  conditions: ['@hardbound/source'],
  external: ['@aws-sdk/client-sts'], // an optional peer, for --verify-identity alone
  legalComments: 'none',
})
