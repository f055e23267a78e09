// The API reports in api/: what each package exports, reviewed like code.
// Born from: an export changed, and nobody saw it before users did.
//   node scripts/api.mjs           fails where a report is not what the build says
//   node scripts/api.mjs --write   writes the reports anew
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT, stop } from './lib.mjs'

const { CompilerState, Extractor, ExtractorConfig } = createRequire(import.meta.url)('@microsoft/api-extractor')
const write = process.argv.includes('--write')
mkdirSync(join(ROOT, 'api'), { recursive: true })
const stale = []

for (const folder of readdirSync(join(ROOT, 'packages'))) {
  const home = join(ROOT, 'packages', folder)
  const { name, exports: entries, private: isPrivate } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  if (isPrivate) continue
  const configs = Object.entries(entries)
    .filter(([, target]) => typeof target !== 'string')
    .map(([subpath, target]) => configOf(home, name, subpath, target.types))
  if (configs.length === 0) continue // a command alone
  const additionalEntryPoints = configs.map((it) => it.mainEntryPointFilePath)
  const compilerState = CompilerState.create(configs[0], { additionalEntryPoints }) // once for all of a package
  for (const config of configs) {
    const options = { compilerState, localBuild: write, showVerboseMessages: false, messageCallback: quiet }
    if (Extractor.invoke(config, options).apiReportChanged && !write) stale.push(config.reportFilePath)
  }
}
if (stale.length > 0) stop(`${stale.join(', ')} not up to date. Look at the change, then: npm run api -- --write`)

function configOf(home, name, subpath, types) {
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: home,
      mainEntryPointFilePath: join(home, types),
      compiler: { tsconfigFilePath: join(home, 'tsconfig.json') },
      apiReport: {
        enabled: true,
        reportFileName: `${name.split('/')[1]}${subpath === '.' ? '' : `-${subpath.slice(2)}`}.api.md`,
        reportFolder: join(ROOT, 'api'),
        reportTempFolder: join(home, 'dist'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      newlineKind: 'lf',
      messages: {
        compilerMessageReporting: { default: { logLevel: 'none' } },
        extractorMessageReporting: { default: { logLevel: 'none' } },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(home, 'package.json'),
  })
}

function quiet(message) {
  message.handled = true
}
