// npm test: sets everything up, then lint, types, repository checks and all tests. The last line counts them.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installDebianPackages } from './debian.mjs'
import { install, ROOT, requireNode, step, stop, turbo } from './lib.mjs'

requireNode()
installDebianPackages()
install()
step('Building')
turbo('build')
step('Lint, types and repository checks')
turbo(['lint', 'typecheck', 'check'])
step('Tests (one line a package; only what changed since the last run is run again)')
const status = turbo('test', { args: ['--output-logs=new-only', '--concurrency=2', '--continue'], allowFailure: true })

const sum = { passed: 0, failed: 0, skipped: 0 }
for (const group of ['packages', 'examples', 'bench']) {
  const folders = group === 'bench' ? ['.'] : readdirSync(join(ROOT, group))
  for (const folder of folders) {
    const file = join(ROOT, group, folder, '.jest', 'summary.json')
    if (!existsSync(file)) continue
    const counts = JSON.parse(readFileSync(file, 'utf8'))
    for (const key of Object.keys(sum)) sum[key] += counts[key]
  }
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`)
if (status !== 0 || sum.failed > 0) stop('Some tests failed; the output above says which.')
if (sum.passed === 0) stop('No test ran.')
