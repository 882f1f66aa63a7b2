import { pino } from 'pino'
import { expect, test, vi } from 'vitest'
import { captureConsole } from '../../src/daemon/log.ts'

test('console output becomes log lines, and goes nowhere else', () => {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'debug', base: null }, { write: (line) => lines.push(JSON.parse(line)) })
  const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  const before = console
  const giveBack = captureConsole(log)
  console.log('name %s is %d', 'taken', 2)
  console.info(new Error('in use'))
  console.warn({ a: 1 })
  console.error('two\nlines')
  console.table([1])
  giveBack()
  expect(written).not.toHaveBeenCalled()
  written.mockRestore()
  expect(console).toBe(before)
  expect(lines.map(({ level, msg, from }) => [level, String(msg).split('\n')[0], from])).toEqual([
    [20, 'name taken is 2', 'console'],
    [20, 'Error: in use', 'console'],
    [40, '{ a: 1 }', 'console'],
    [40, 'two', 'console'],
    [20, '┌─────────┬────────┐', 'console'],
  ])
})
