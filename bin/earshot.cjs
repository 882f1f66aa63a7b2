#!/usr/bin/env node
require('../dist/commands/compile-cache.cjs').keepCompiledCode()
require('../dist/commands/earshot.cjs')
