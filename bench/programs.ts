import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { packagePath } from './paths.ts'

/** The programs that are measured. The commands are beginnings of argument lists. */
export interface Programs {
  /** The path of the Node that runs the bare programs, and the commands unless they are a single executable. */
  readonly node: string
  /** For example `20.19.0`. */
  readonly nodeVersion: string
  readonly earshot: readonly string[]
  readonly daemon: readonly string[]
  readonly isExecutable: boolean
}

/**
 * The commands of this package, run by a Node. With `executable`, the single executable instead; `directory` gets links to it.
 * @throws if the Node does not run
 */
export function findPrograms(directory: string, { node, executable }: { node: string; executable?: string }): Programs {
  const nodeVersion = execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()
  const command = (name: string): string[] => {
    if (executable === undefined) return [node, packagePath(`bin/${name}.cjs`)]
    // The executable knows by its name which command it is.
    const link = join(directory, name)
    mkdirSync(directory, { recursive: true })
    symlinkSync(resolve(executable), link)
    return [link]
  }
  return {
    node,
    nodeVersion,
    earshot: command('earshot'),
    daemon: command('earshotd'),
    isExecutable: executable !== undefined,
  }
}
