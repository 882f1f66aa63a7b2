import { expect, test } from 'vitest'
import { Suspension } from '../../src/io/suspension.ts'

/** When the program of these tests starts: 100 s after boot, while Node's clock shows 5 s. */
const START = { monotonic: 5000, wall: 1_700_000_000_000 }
const UPTIME = 100_000

/** A machine whose clocks a test sets. */
class Machine {
  readonly suspension = new Suspension(START, UPTIME)
  reads = 0
  readonly #clocks = { ...START, uptime: UPTIME }

  run(ms: number): void {
    this.#clocks.monotonic += ms
    this.suspend(ms)
  }

  suspend(ms: number): void {
    this.#clocks.wall += ms
    this.#clocks.uptime += ms
  }

  setWallClock(by: number): void {
    this.#clocks.wall += by
  }

  /** Checks, and returns for how long the machine was suspended. */
  check(): number {
    this.suspension.check(this.#clocks, () => {
      this.reads++
      return this.#clocks.uptime
    })
    return this.suspension.duration
  }
}

test('a suspend is noticed at the next check, and adds up with the one before', () => {
  const machine = new Machine()
  machine.run(1000)
  machine.suspend(60_000)
  expect(machine.check()).toBe(60_000)
  machine.run(1000)
  machine.suspend(5000)
  expect(machine.check()).toBe(65_000)
})

test('a suspend is noticed within 10 s when the wall clock was set back by as much', () => {
  const machine = new Machine()
  machine.suspend(60_000)
  machine.setWallClock(-60_000)
  machine.run(9999)
  expect(machine.check()).toBe(0)
  machine.run(1)
  expect(machine.check()).toBe(60_000)
})

test('a wall clock that is set is no suspend, in either direction', () => {
  const machine = new Machine()
  for (const by of [3_600_000, -7_200_000]) {
    machine.setWallClock(by)
    expect(machine.check()).toBe(0)
  }
  expect(machine.reads).toBe(2)
})

test('the uptime is read every 10 s, and not more often while the wall clock only slews', () => {
  const machine = new Machine()
  for (let second = 1; second <= 30; second++) {
    machine.run(1000)
    machine.setWallClock(0.5)
    machine.check()
  }
  expect(machine.reads).toBe(3)
})
