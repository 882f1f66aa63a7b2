/**
 * Node's module `http`, loaded at the first call, which is synchronous. A start does not need it: the daemon listens with
 * `net`, and hands its connections over to `http`.
 */
export function nodeHttp(): typeof import('node:http') {
  return process.getBuiltinModule('node:http')
}
