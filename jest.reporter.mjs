// Leaves the counts of a package's run in .jest/summary.json, so that `npm test` can add them up,
// also for packages whose result came from the cache.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export default class SummaryReporter {
  constructor(globalConfig) {
    this.rootDir = globalConfig.rootDir
  }

  onRunComplete(_contexts, { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites }) {
    const folder = join(this.rootDir, '.jest')
    mkdirSync(folder, { recursive: true })
    const failed = numFailedTests + numRuntimeErrorTestSuites
    writeFileSync(
      join(folder, 'summary.json'),
      `${JSON.stringify({ passed: numPassedTests, failed, skipped: numPendingTests })}\n`,
    )
  }
}
