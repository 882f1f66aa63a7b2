#!/usr/bin/env node
import '../dist/cli/earshot.js'
