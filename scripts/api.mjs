// The API reports in api/: what each package exports, reviewed like code.
// Born from: an export changed, and nobody saw it before users did.
//   node scripts/api.mjs           fails where a report is not what the build says
//   node scripts/api.mjs --write   writes the reports anew
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT, stop } from './lib.mjs'

const { Extractor, ExtractorConfig } = createRequire(import.meta.url)('@microsoft/api-extractor')
const write = process.argv.includes('--write')
mkdirSync(join(ROOT, 'api'), { recursive: true })
const stale = []

for (const folder of readdirSync(join(ROOT, 'packages'))) {
  const home = join(ROOT, 'packages', folder)
  const { name, exports: entries, private: isPrivate } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  if (isPrivate) continue
  for (const [subpath, target] of Object.entries(entries)) {
    if (typeof target === 'string') continue
    const reportFileName = `${name.split('/')[1]}${subpath === '.' ? '' : `-${subpath.slice(2)}`}.api.md`
    const config = ExtractorConfig.prepare({
      configObject: {
        projectFolder: home,
        mainEntryPointFilePath: join(home, target.types),
        compiler: { tsconfigFilePath: join(home, 'tsconfig.json') },
        apiReport: {
          enabled: true,
          reportFileName,
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
    const { apiReportChanged } = Extractor.invoke(config, {
      localBuild: write,
      showVerboseMessages: false,
      messageCallback: quiet,
    })
    if (apiReportChanged && !write) stale.push(reportFileName)
  }
}
if (stale.length > 0) stop(`api/: ${stale.join(', ')} not up to date. Look at the change, then: npm run api -- --write`)

function quiet(message) {
  message.handled = true
}
