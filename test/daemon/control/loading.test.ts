import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { ControlServer } from '../../../src/daemon/control/server.ts'
import { temporaryDirectory } from '../../temporary-directory.ts'
import { FakePresence } from './fixtures.ts'

/** Resolves with the status of the answer, or with the code of the error. */
function statusOf(socketPath: string, path: string): Promise<number | string | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path, agent: false }, (answer) => {
      answer.resume().on('error', () => {})
      resolve(answer.statusCode)
    })
    asked.on('error', (error) => resolve((error as NodeJS.ErrnoException).code)).end()
  })
}

async function listening(): Promise<{ control: ControlServer; socket: string }> {
  const socket = join(await temporaryDirectory(), 'socket')
  const log = pino({ level: 'silent' })
  const control = new ControlServer(new FakePresence(), { socket, log, closeTimeoutMs: 50 })
  await control.listen()
  return { control, socket }
}

test('requests wait until the API is served', async () => {
  const { control, socket } = await listening()
  const asked = [statusOf(socket, '/healthz'), statusOf(socket, '/v1/peers'), statusOf(socket, '/nowhere')]
  await delay(50)
  control.serve()
  expect(await Promise.all(asked)).toEqual([200, 200, 404])
  await control.close()
})

test.each([false, true])('can be closed while requests wait (API being loaded: %s)', async (isLoading) => {
  const { control, socket } = await listening()
  const asked = statusOf(socket, '/v1/peers')
  await delay(50)
  if (isLoading) control.serve()
  await control.close()
  expect(isLoading ? [200, 'ECONNRESET'] : ['ECONNRESET']).toContain(await asked)
})
