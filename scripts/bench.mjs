// npm run bench [-- --json] [-- --only NAME]: see bench/README.md.
import { install, ROOT, requireNode, run, step, turbo } from './lib.mjs'

requireNode()
install()
step('Building')
turbo('build', { filters: ['@hardbound/bench...'] })
process.exit(run(process.execPath, [`${ROOT}bench/dist/main.js`, ...process.argv.slice(2)], { allowFailure: true }))
