#!/usr/bin/env node
'use strict'
require('../dist/aws-tpm-process-credential.cjs')
