#!/usr/bin/env node
'use strict'
require('../dist/aws-signing-helper.cjs')
