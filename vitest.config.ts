import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const LAB = ['test/lab/**/*.test.ts', 'test/acceptance/**/*.test.ts', 'test/**/*.lab.test.ts']
const TIMING = ['test/**/*.timing.test.ts']

/** Those that have to wait for minutes go first, so that the others go on beside them. */
const PATIENT = [
  '/loss.test.ts',
  '/freeze.test.ts',
  '/partition.test.ts',
  '/mdns-conflicts.test.ts',
  '/mdns-flood.test.ts',
  '/mdns-fuzz.test.ts',
  '/mdns-liveness.test.ts',
]

class PatientFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isPatient = ({ moduleId }: TestSpecification) => PATIENT.some((name) => moduleId.endsWith(name))
    const sorted = await super.sort(files)
    return [...sorted.filter(isPatient), ...sorted.filter((file) => !isPatient(file))]
  }
}

/** Three groups, one after the other: what measures times is not to be disturbed by the rest. */
export default defineConfig({
  test: {
    globalSetup: 'test/build.ts',
    testTimeout: 60_000,
    sequence: { sequencer: PatientFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...LAB, ...TIMING],
          benchmark: { include: ['test/bench/**/*.bench.ts'] },
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
