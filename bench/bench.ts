import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { labUnavailableReason } from '../test/lab/availability.ts'
import { type Figure, passes } from './figures.ts'
import type { Line } from './line.ts'
import { events, list } from './lines/api.ts'
import { commands } from './lines/commands.ts'
import { ingest } from './lines/ingest.ts'
import { memory } from './lines/memory.ts'
import { others } from './lines/others.ts'
import { start } from './lines/start.ts'
import { idle, steady } from './lines/steady.ts'
import { swarm } from './lines/swarm.ts'
import { findPrograms, type Programs } from './programs.ts'
import { table } from './report.ts'

const LINES: readonly Line[] = [start, swarm, commands, memory, steady, idle, ingest, list, events, ...others]

const USAGE = `npm run bench -- [--short] [--only NAME]... [--node PATH] [--exe PATH] [--json]
  --short      measure less often and for less time, with wide limits
  --only NAME  one of: ${LINES.map(({ name }) => name).join(', ')}
  --node PATH  the Node that runs the commands and the bare programs; default: the one that runs this
  --exe PATH   the single executable, instead of the commands that Node runs
  --json       print the figures as JSON`

/** Measures the chosen lines. Returns the exit status: 1 if a goal is missed or a line could not be measured. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      node: { type: 'string', default: process.execPath },
      exe: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const unknown = values.only.find((name) => !LINES.some((line) => line.name === name))
  if (unknown !== undefined) throw new Error(`there is no line '${unknown}'\n${USAGE}`)
  const unavailable = labUnavailableReason()
  if (unavailable !== undefined) throw new Error(unavailable)

  const directory = mkdtempSync(join(tmpdir(), 'earshot-bench-'))
  try {
    const programs = findPrograms(directory, { node: values.node, ...(values.exe && { executable: values.exe }) })
    const chosen = LINES.filter(({ name, onlyInFull }) =>
      values.only.length === 0 ? !(values.short && onlyInFull) : values.only.includes(name),
    )
    const figures: Figure[] = []
    const failures: string[] = []
    for (const line of chosen) {
      console.error(`${new Date().toISOString().slice(11, 19)} ${line.name}`)
      try {
        figures.push(...(await line.measure({ programs, short: values.short })))
      } catch (error) {
        failures.push(`${line.name} was not measured: ${error instanceof Error ? error.message : error}`)
      }
    }
    for (const { what } of figures.filter((figure) => !passes(figure, values.short))) failures.push(`missed: ${what}`)
    if (values.json) console.log(JSON.stringify({ ...machine(programs), short: values.short, figures }, null, 2))
    else for (const text of [describe(programs), ...table(figures, values.short)]) console.log(text)
    for (const failure of failures) console.error(failure)
    return failures.length > 0 ? 1 : 0
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function machine({ nodeVersion, isExecutable }: Programs) {
  const processors = cpus()
  return { node: nodeVersion, executable: isExecutable, cores: processors.length, processor: processors[0]?.model }
}

function describe(programs: Programs): string {
  const { node, executable, cores, processor } = machine(programs)
  return `${executable ? 'single executable, compared with ' : ''}Node ${node}, ${cores} × ${processor}`
}

process.exitCode = await main()
