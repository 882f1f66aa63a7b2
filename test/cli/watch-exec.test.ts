import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { temporaryDirectory } from '../temporary-directory.ts'
import { type Running, start } from './command.ts'
import { FakeDaemon } from './fake-daemon.ts'
import { NOW, somePeer, someService, studio } from './some-peers.ts'

let daemon: FakeDaemon
let watch: Running | undefined

beforeEach(async () => {
  daemon = new FakeDaemon()
  await daemon.start()
})
afterEach(async () => {
  watch?.child.kill('SIGKILL')
  await daemon.remove()
})

const AT = new Date(NOW).toISOString()

/** Runs `watch --exec`. Resolves when it has received the initial state, for which it runs no command. */
async function begin(command: string, ...args: string[]): Promise<Running> {
  watch = start(['watch', '--socket', daemon.socket, '--exec', command, ...args])
  await daemon.streaming()
  return watch
}

test('the command gets each change as JSON and as variables, but not the initial state', async () => {
  daemon.peers = [somePeer()]
  const { line, child, ended } = await begin('cat; env | grep ^EARSHOT_ | sort; echo .')
  daemon.change('peer-up', { ...studio, state: 'alive', attributes: { 'room-temp': 21.5, ready: true } })
  const change = JSON.parse((await line()) ?? '')
  expect(change).toMatchObject({ type: 'peer-up', at: AT, present: true, peer: { name: 'studio', state: 'alive' } })
  const variables = ['EARSHOT_ATTR_READY=true', 'EARSHOT_ATTR_ROOM_TEMP=21.5', 'EARSHOT_EVENT=peer-up']
  variables.push('EARSHOT_PEER_ADDRESS=192.168.1.44', 'EARSHOT_PEER_HOSTNAME=kitchen.lan')
  variables.push(
    `EARSHOT_PEER_ID=${studio.id}`,
    'EARSHOT_PEER_NAME=studio',
    'EARSHOT_PEER_SOURCE=beacon',
    'EARSHOT_PEER_STATE=alive',
  )
  variables.push(`EARSHOT_SOCKET=${daemon.socket}`, '.')
  for (const variable of variables) expect(await line()).toBe(variable)

  expect(JSON.parse((await line()) ?? '')).toMatchObject({ type: 'service-up', service: { id: 'osc' } })
  const service: string[] = []
  for (let text = await line(); text !== '.'; text = await line()) service.push(text ?? '')
  expect(service).toEqual(expect.arrayContaining(['EARSHOT_EVENT=service-up', 'EARSHOT_SERVICE_TYPE=_osc._udp']))
  expect(service).toEqual(expect.arrayContaining(['EARSHOT_SERVICE_PORT=9000', 'EARSHOT_SERVICE_NAME=OSC']))
  child.kill('SIGINT')
  expect(await ended).toBe(0)
})

test('values from the network are never executed', async () => {
  const evil = '$(echo pwned >&2)`echo pwned >&2`"; echo pwned >&2; \'\n\u001b[31m'
  const { line, child } = await begin(
    'cat; printf "%s|%s|%s\\n." "$EARSHOT_PEER_NAME" "$EARSHOT_ATTR_A_B" "$EARSHOT_TXT_K"',
  )
  const service = { ...someService, txt: { k: `${evil}\0🖥️` } }
  daemon.change('peer-up', somePeer({ name: evil, attributes: { 'a;b': evil }, services: [service] }))
  const raw = (await line()) ?? ''
  expect(raw).not.toMatch(/\p{Cc}/u)
  expect(JSON.parse(raw).peer).toMatchObject({ name: evil, attributes: { 'a;b': evil } })
  expect(`${await line()}\n${await line()}\n${await line()}`).toBe(`${evil}|${evil}|`)
  expect(JSON.parse(((await line()) ?? '').slice(1)).service.txt.k).toBe(`${evil}\0🖥️`)
  expect(`${await line()}\n${await line()}\n${await line()}\n${await line()}`).toBe(`${evil}|${evil}|${evil}\ufffd🖥️`)
  child.kill('SIGINT')
  expect(await line('stderr')).toBeUndefined()
})

test('commands run one at a time and in order; a failure is reported, and the next one runs', async () => {
  const { line } = await begin('sleep 0.1; echo "$EARSHOT_PEER_NAME"; test "$EARSHOT_PEER_NAME" != p1')
  for (const name of ['p0', 'p1', 'p2']) daemon.change('peer-up', somePeer({ id: name, name, services: [] }))
  for (const name of ['p0', 'p1', 'p2']) expect(await line()).toBe(name)
  expect(await line('stderr')).toBe("earshot: --exec: on peer-up of 'p1' the command failed with status 1")
})

test('a command that takes too long is killed, with the processes it started', async () => {
  const { line, child, ended } = await begin('sleep 1000 & echo $!; wait', '--exec-timeout', '300ms')
  daemon.change('peer-up', somePeer({ services: [] }))
  const sleeper = Number(await line())
  expect(await line('stderr')).toMatch(/on peer-up of 'kitchen' the command took longer than 300ms and was killed$/)
  await expect.poll(() => isRunning(sleeper)).toBe(false)

  daemon.change('peer-left', somePeer({ state: 'left', services: [] }))
  const second = Number(await line())
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  await expect.poll(() => isRunning(second)).toBe(false)
})

test('changes beyond the limit are dropped, and that is reported', async () => {
  const file = join(await temporaryDirectory(), 'all-sent')
  const wait = `echo begun; until test -e '${file}'; do sleep 0.1; done`
  const { line, child } = await begin(`read _; test "$EARSHOT_PEER_NAME" != p0 || { ${wait}; }; :`)
  daemon.change('peer-up', somePeer({ id: 'p0', name: 'p0', services: [] }))
  expect(await line()).toBe('begun')
  for (let at = 1; at <= 1010; at++) daemon.change('peer-up', somePeer({ id: `p${at}`, name: `p${at}`, services: [] }))
  expect(await line('stderr')).toBe('earshot: --exec: 1000 changes are waiting: dropping new ones')
  // Until the last ten have arrived as well.
  await delay(1000)
  await writeFile(file, '')
  expect(await line('stderr')).toBe('earshot: --exec: dropped 10 changes')
  child.kill('SIGINT')
})

test('a restart of the daemon is no change', async () => {
  daemon.peers = [somePeer()]
  const { line } = await begin('echo "$EARSHOT_EVENT $EARSHOT_PEER_NAME"')
  await daemon.restart('second', ...daemon.peers)
  expect(await line('stderr')).toContain('has gone')
  expect(await line('stderr')).toContain('is back')
  daemon.change('peer-up', { ...studio, services: [] })
  expect(await line()).toBe('peer-up studio')
})

/** Whether a process runs. A zombie does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
