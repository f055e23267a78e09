#!/usr/bin/env node
'use strict'
require('../dist/aws-pkcs-process-credential.cjs')
