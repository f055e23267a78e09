#!/usr/bin/env node
'use strict'
require('../dist/aws-channel-jwt-process-credential.cjs')
