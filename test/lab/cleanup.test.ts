import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { describeLab } from './describe-lab.ts'
import { Lab } from './lab.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

// The child process creates a lab with a process that has its own child: the parent-death signal does not reach that one.
const CHILD = `import { Lab } from './test/lab/lab.js'
const lab = await Lab.create()
const net = await lab.network('lan')
const hosts = await lab.hosts(['a', 'b'], [net])
const process = await hosts[0].spawn('sh', ['-c', 'sleep 600 & echo $!; wait'])
const grandchild = Number(await process.waitForLine(/^[0-9]+$/))
const pids = [...hosts.map((host) => host.namespace.pid), net.namespace.pid, process.pid, grandchild]
console.log(JSON.stringify({ dir: lab.dir, pids }))
`

/** Compiles the lab, because Node 20 does not run TypeScript. Returns the output directory. */
function compileLab(): string {
  const dir = mkdtempSync(join(tmpdir(), 'earshot-lab-js-'))
  const options = { noEmit: false, outDir: dir, rootDir: ROOT, typeRoots: [join(ROOT, 'node_modules/@types')] }
  const files = [join(ROOT, 'test/lab/lab.ts')]
  writeFileSync(
    join(dir, 'tsconfig.json'),
    JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions: options, include: [], files }),
  )
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(dir, 'child.js'), CHILD)
  const tsc = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', dir], { encoding: 'utf8' })
  if (tsc.status !== 0) throw new Error(`cannot compile the lab: ${tsc.stdout}${tsc.stderr}`)
  return dir
}

const namespaceOf = (pid: number): string => readlinkSync(`/proc/${pid}/ns/net`)

/** Ids of the readable processes in any of these network namespaces. */
function processesIn(namespaces: ReadonlySet<string>): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return namespaces.has(namespaceOf(pid))
      } catch {
        return false
      }
    })
}

describeLab('cleanup of a lab', () => {
  test('nothing is left after SIGKILL of the test process', { timeout: 30_000 }, async () => {
    const dir = compileLab()
    try {
      const child = spawn(process.execPath, [join(dir, 'child.js')], { stdio: ['ignore', 'pipe', 'inherit'] })
      const line = await new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdout }).once('line', resolve)
        child.once('exit', (code) => reject(new Error(`the child ended with ${code}`)))
      })
      const made = JSON.parse(line) as { dir: string; pids: number[] }
      const namespaces = new Set(made.pids.map(namespaceOf))
      expect(namespaces.size).toBe(3)
      expect(processesIn(namespaces)).toEqual(expect.arrayContaining(made.pids))
      expect(existsSync(made.dir)).toBe(true)

      const start = performance.now()
      child.kill('SIGKILL')
      await vi.waitFor(() => expect(processesIn(namespaces)).toEqual([]), { timeout: 5000, interval: 5 })
      await vi.waitFor(() => expect(existsSync(made.dir)).toBe(false), { timeout: 5000, interval: 5 })
      console.log(`removed ${(performance.now() - start).toFixed(0)} ms after SIGKILL`)
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  test('nothing is left after close', async () => {
    const lab = await Lab.create()
    const host = await lab.host('a', [await lab.network('lan')])
    const tree = await host.spawn('sh', ['-c', 'sleep 600 & echo $!; wait'])
    const grandchild = Number(await tree.waitForLine(/^\d+$/))
    const namespaces = new Set([host.namespace.pid, tree.pid, grandchild].map(namespaceOf))
    expect(namespaces.size).toBe(1)
    await lab.close()
    await vi.waitFor(() => expect(processesIn(namespaces)).toEqual([]))
    expect(existsSync(lab.dir)).toBe(false)
    expect(await tree.exited).toEqual({ code: null, signal: 'SIGKILL' })
  })
})
