import type { Plugin } from 'rolldown'

/**
 * Packages and modules of Node that a bundled package would load for features that earshot does not use:
 * - Fastify compiles schemas with the first two, and injects requests in tests with the third. `app.ts` gives it other compilers.
 * - Fastify compares versions of plugins with semver. earshot has no plugins of others.
 * - Pino runs transports in threads. earshot's log has none.
 * - Fastify can serve HTTPS and HTTP/2. Their modules and the TLS that they load take 4 MiB with Node 26.
 */
const MODULES = [
  '@fastify/ajv-compiler',
  '@fastify/fast-json-stringify-compiler',
  'light-my-request',
  'semver',
  'thread-stream',
  'worker_threads',
  'node:https',
  'node:http2',
]
const STUB = '\0left-out:'

/** Replaces these modules in a bundle by functions that throw. */
export function leftOut(): Plugin {
  return {
    name: 'left-out',
    resolveId: {
      filter: { id: new RegExp(`^(${MODULES.join('|')})$`) },
      handler: (id) => STUB + id,
    },
    load: {
      filter: { id: new RegExp(`^${STUB}`) },
      handler: (id) => `module.exports = () => { throw new Error('${id.slice(STUB.length)} is not in this bundle') }`,
    },
  }
}
