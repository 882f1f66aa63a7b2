#!/usr/bin/env node
const { join } = require('node:path')
const { start } = require('../dist/commands/start.cjs')

start('earshot.cjs', join(__dirname, '../dist/commands'))
