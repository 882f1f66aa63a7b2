#!/usr/bin/env node
import '../dist/cli/earshotd.js'
