// Repository checks that no linter makes. Each one says which failure it was born from.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pnpmExec, ROOT, run, stop } from './lib.mjs'

const problems = []
const packages = readdirSync(join(ROOT, 'packages')).map((folder) => ({
  folder,
  home: join(ROOT, 'packages', folder),
  ...JSON.parse(readFileSync(join(ROOT, 'packages', folder, 'package.json'), 'utf8')),
}))

/** Files below a folder, dist and node_modules left out. */
function files(folder) {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name)
    if (name === 'dist' || name === 'node_modules') return []
    return statSync(path).isDirectory() ? files(path) : [path]
  })
}

/** What dependencies want beside them, and cannot bring themselves. */
const peers = (home, dependencies) =>
  new Set(
    Object.keys(dependencies)
      .map((it) => join(home, 'node_modules', it, 'package.json'))
      .flatMap((it) => Object.keys(JSON.parse(readFileSync(it, 'utf8')).peerDependencies ?? {})),
  )

/** `… from 'x'` at the end of a line, `import('x')`, `require.resolve('x')`, `import 'x'`; relative ones left out. */
const IMPORTS = /(?:^|[\s}])from '([^'.][^']*)'$|(?:import|\.resolve)\('([^'.][^']*)'\)|^import '([^'.][^']*)'$/gm

for (const { folder, home, name, private: isPrivate, dependencies = {}, peerDependencies = {} } of packages) {
  const known = new Set([...Object.keys(dependencies), ...Object.keys(peerDependencies)])
  const used = new Set()
  for (const path of files(join(home, 'src'))) {
    const text = readFileSync(path, 'utf8')
    const where = relative(ROOT, path)
    for (const found of text.matchAll(IMPORTS)) {
      const specifier = found[1] ?? found[2] ?? found[3]
      if (specifier.startsWith('node:')) continue
      const dependency = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
      used.add(dependency)
      // A package worked here, where everything is hoisted, and not at its users.
      if (!known.has(dependency)) problems.push(`${where} imports ${dependency}, which ${name} does not depend on`)
      // The emulators trust anybody who asks.
      if (dependency === '@hardbound/testkit') problems.push(`${where} imports the testkit`)
    }
    // A file grew until nobody read it.
    const lines = text.split('\n').length
    if (lines > 300) problems.push(`${where} has ${lines} lines; 300 is the most that is read in one sitting`)
  }
  for (const dependency of Object.keys(dependencies)) {
    const bundled =
      existsSync(join(home, 'build.mjs')) && readFileSync(join(home, 'build.mjs'), 'utf8').includes(dependency)
    if (!used.has(dependency) && !bundled && !peers(home, dependencies).has(dependency))
      problems.push(`packages/${folder} depends on ${dependency} and does not import it`)
  }
  // A code that the README does not name can't be looked up.
  const readme = readFileSync(join(home, 'README.md'), 'utf8')
  for (const path of files(join(home, 'src')).filter((it) => /errors?\.ts$/.test(it))) {
    for (const [, code] of readFileSync(path, 'utf8').matchAll(/^ {2}\| '(ERR_[A-Z0-9_]+)'/gm)) {
      if (!isPrivate && !readme.includes(code)) problems.push(`packages/${folder}/README.md does not name ${code}`)
    }
  }
}

// Two packages that need each other can't be released one by one.
const arrows = new Map(packages.map(({ name, dependencies = {} }) => [name, Object.keys(dependencies)]))
function visit(name, path) {
  if (path.includes(name)) return problems.push(`a cycle: ${[...path.slice(path.indexOf(name)), name].join(' -> ')}`)
  for (const next of arrows.get(name) ?? []) visit(next, [...path, name])
}
for (const name of arrows.keys()) visit(name, [])

// A lockfile that names a registry's host sends everybody there.
if (/https?:\/\//.test(readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8'))) problems.push('pnpm-lock.yaml names a host')

if (problems.length > 0) stop([...new Set(problems)].join('\n'))
pnpmExec(['node', 'scripts/publint.mjs'])
run(process.execPath, ['scripts/api.mjs'])
