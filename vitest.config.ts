import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const LAB = ['test/lab/**/*.test.ts', 'test/acceptance/**/*.test.ts', 'test/**/*.lab.test.ts']
const TIMING = ['test/**/*.timing.test.ts']

/** Those that take minutes go first, the longest at the head, so that the others go on beside them. */
const PATIENT = [
  '/loss.test.ts',
  '/mdns-liveness.test.ts',
  '/mdns-fuzz.test.ts',
  '/freeze.test.ts',
  '/mdns-conflicts.test.ts',
  '/mdns-flood.test.ts',
  '/partition.test.ts',
  '/clones.test.ts',
]

class PatientFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = PATIENT.findIndex((name) => moduleId.endsWith(name))
      return index < 0 ? PATIENT.length : index
    }
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other))
  }
}

/** Three groups, one after the other: what measures times is not to be disturbed by the rest. */
export default defineConfig({
  test: {
    globalSetup: 'test/build.ts',
    testTimeout: 180_000,
    // Polled conditions wait for processes, which take their time on a busy machine. Where a time is promised, the test says so.
    expect: { poll: { timeout: 10_000 } },
    sequence: { sequencer: PatientFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...LAB, ...TIMING],
          benchmark: { include: ['test/bench/**/*.bench.ts'] },
          // Many wait for processes of their own: more at once than there are cores.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Mostly waiting for time to pass on hosts of their own: more at once than there are cores.
        test: { name: 'lab', include: LAB, exclude: TIMING, maxWorkers: 6, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        test: { name: 'timing', include: TIMING, maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 2 } },
      },
    ],
  },
})
