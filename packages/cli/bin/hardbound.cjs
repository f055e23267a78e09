#!/usr/bin/env node
'use strict'
// `hardbound aws ekm` is a credential_process: AWS tools start it often and wait for it, so it loads one small bundle
// and nothing else. Everything else is the operators' command line.
const [group, command] = process.argv.slice(2)
if (group === 'aws' && command === 'ekm') {
  require('../dist/aws-ekm.cjs')
} else {
  void import('../dist/main.js')
}
