// Whether what is published can be used. Needs pnpm on the PATH, which says what goes into a package.
// Born from: what exports named was not in the package.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { ROOT, stop } from './lib.mjs'

const problems = []
for (const folder of readdirSync(join(ROOT, 'packages'))) {
  const pkgDir = join(ROOT, 'packages', folder)
  const { name, private: isPrivate } = JSON.parse(readFileSync(join(pkgDir, 'package.json'), 'utf8'))
  if (isPrivate) continue
  const { messages, pkg } = await publint({ pkgDir, strict: true, pack: 'pnpm' })
  problems.push(...messages.map((it) => `${name}: ${formatMessage(it, pkg, { color: false })}`))
}
if (problems.length > 0) stop(problems.join('\n'))
