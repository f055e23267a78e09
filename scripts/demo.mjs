// npm run demo: everything from a fresh clone to the transcript. See examples/demo.
import { install, ROOT, requireNode, run, step, turbo } from './lib.mjs'

requireNode()
install()
step('Building')
turbo('build', { filters: ['@hardbound/demo...'] })
run(process.execPath, [`${ROOT}examples/demo/dist/main.js`, ...process.argv.slice(2)])
