import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const LAB = ['test/lab/**/*.test.ts', 'test/acceptance/**/*.test.ts', 'test/**/*.lab.test.ts']
const TIMING = ['test/**/*.timing.test.ts']

/** Files that take minutes, longest first. They start first, so that all other files run in parallel with them. */
const SLOWEST_FILES = [
  '/loss.test.ts',
  '/mdns-liveness.test.ts',
  '/mdns-fuzz.test.ts',
  '/freeze.test.ts',
  '/mdns-conflicts.test.ts',
  '/mdns-flood.test.ts',
  '/partition.test.ts',
  '/clones.test.ts',
]

class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = SLOWEST_FILES.findIndex((name) => moduleId.endsWith(name))
      return index < 0 ? SLOWEST_FILES.length : index
    }
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other))
  }
}

/** Settings of every group. They are not settings of the whole, so that each group does not build the package anew. */
const GROUP = {
  testTimeout: 180_000,
  hookTimeout: 180_000,
  // Polled conditions wait for processes, which are slow on a busy machine. A test that checks a time sets its own timeout.
  expect: { poll: { timeout: 10_000 } },
}

/** Three groups run one after the other, so that other tests do not disturb the timing tests. */
export default defineConfig({
  test: {
    globalSetup: 'test/build.ts',
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        test: {
          ...GROUP,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...LAB, ...TIMING],
          // Many tests wait for child processes, so three workers are of use even on one core.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Lab tests mostly wait, so six workers are of use even on two cores.
        test: { ...GROUP, name: 'lab', include: LAB, exclude: TIMING, maxWorkers: 6, sequence: { groupOrder: 1 } },
      },
      {
        test: {
          ...GROUP,
          name: 'timing',
          include: TIMING,
          maxWorkers: 1,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
