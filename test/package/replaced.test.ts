import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Earshot } from '../../src/client/index.ts'
import { PACKAGE } from '../installed.ts'
import { temporaryDirectory } from '../temporary-directory.ts'

async function statusOf(socketPath: string, path: string): Promise<number | undefined> {
  const [answer] = await once(request({ socketPath, path }).end(), 'response')
  answer.resume()
  return answer.statusCode
}

test('a daemon whose files are replaced while it runs lacks what it has not loaded, and goes on', async () => {
  const directory = await temporaryDirectory()
  const [copy, socket, services] = ['package', 'socket', 'services'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ]
  await cp(PACKAGE, copy, { recursive: true })
  await mkdir(services)
  const flags = ['--interface', 'lo', '--state-dir', join(directory, 'state'), '--socket', socket, '--port', '15397']
  const daemon = spawn(
    process.execPath,
    [join(copy, 'bin/earshotd.cjs'), ...flags, '--http', 'off', '--services-dir', services, '--log-format', 'json'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = once(daemon, 'exit')
  onTestFinished(() => void daemon.kill('SIGKILL'))
  for await (const lines of daemon.stdout.iterator({ destroyOnReturn: false })) {
    if (String(lines).includes('"msg":"ready"')) break
  }
  daemon.stdout.resume()
  // What npm does when it installs another version: none of the old bundles is there any more.
  await rm(join(copy, 'dist'), { recursive: true })

  const earshot = new Earshot({ socket })
  await writeFile(join(services, 'one.toml'), 'type = "http"\nport = 80\n')
  await writeFile(join(services, 'two.service'), '<service-group/>')
  const error = 'its parser is missing: earshot was updated or removed while earshotd ran (restart earshotd)'
  await expect
    .poll(async () => (await earshot.self()).badFiles)
    .toEqual([
      { file: join(services, 'one.toml'), error },
      { file: join(services, 'two.service'), error },
    ])
  expect(await statusOf(socket, '/openapi.json')).toBe(500)
  expect(await statusOf(socket, '/healthz')).toBe(200)
  const beats = async () => (await earshot.self()).counters.sent['beat'] ?? 0
  const before = await beats()
  await expect.poll(beats).toBeGreaterThan(before)
  daemon.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})
