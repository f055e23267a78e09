// npm run bench [-- --json] [-- --only NAME]: see bench/README.md.
import { installDebianPackages } from './debian.mjs'
import { install, ROOT, requireNode, run, step, turbo } from './lib.mjs'

requireNode()
installDebianPackages()
install()
step('Building')
turbo('build', { filters: ['@hardbound/bench...'] })
process.exit(run(process.execPath, [`${ROOT}bench/dist/main.js`, ...process.argv.slice(2)], { allowFailure: true }))
