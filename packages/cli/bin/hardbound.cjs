#!/usr/bin/env node
'use strict'
// `hardbound aws …` is a credential_process: AWS tools start it often and wait for it, so it loads one small bundle and
// nothing else. Everything else is the operators' command line.
const BUNDLES = ['ekm', 'tpm', 'pkcs11', 'kms']
const [group, command] = process.argv.slice(2)
if (group === 'aws' && BUNDLES.includes(command)) {
  require(`../dist/aws-${command}.cjs`)
} else {
  void import('../dist/main.js')
}
