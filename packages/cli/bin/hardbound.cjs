#!/usr/bin/env node
'use strict'
// `hardbound aws …` is a credential_process: AWS tools start it often and wait for it, so it loads one small bundle and
// nothing else; `hardbound azure …` likewise. Everything else is the operators' command line.
const BUNDLES = ['aws-ekm', 'aws-tpm', 'aws-pkcs11', 'aws-kms', 'aws-roles-anywhere', 'azure-ekm']
if (process.argv[2] === 'help' && process.argv.length > 3) process.argv = [...process.argv.toSpliced(2, 1), '--help']
const [group, command] = process.argv.slice(2)
const bundle = `${group}-${command}`
if (BUNDLES.includes(bundle)) {
  require(`../dist/${bundle}.cjs`)
} else {
  void import('../dist/main.js')
}
