/**
 * The layout of src/ as rules (docs/ARCHITECTURE.md): which folder may import what, and no circles, also not of types.
 * `npm run imports` checks them, and so does `npm run lint`.
 * @type {import('dependency-cruiser').IConfiguration}
 */
module.exports = {
  forbidden: [
    {
      name: 'file-circle',
      comment: 'Files import each other in a circle. What both need belongs in a third file below them.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'folder-circle',
      comment: 'Folders import each other in a circle. What both need belongs in a folder below them.',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'part-imports-its-whole',
      comment:
        'The files of these folders put the parts in their subfolders together. A part that imports them closes a circle.',
      severity: 'error',
      from: { path: '^src/(core/mdns|core/presence|daemon|io)/[^/]+/' },
      to: { path: '^src/$1/[^/]+\\.ts$' },
    },
    {
      name: 'core-does-no-io',
      comment: 'The core gets bytes and the time as arguments: it opens no sockets, files or timers.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|util)$' },
    },
    {
      name: 'crypto-only-in-wire',
      comment: 'Hashes and signatures belong to the wire format.',
      severity: 'error',
      from: { path: '^src/core/', pathNot: '^src/core/wire/' },
      to: { dependencyTypes: ['core'], path: '^(node:)?crypto$' },
    },
    {
      name: 'core-imports-pure-packages-only',
      comment: 'The core imports only these packages, which do no I/O.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { path: '^node_modules/', pathNot: '^node_modules/(ajv|ipaddr\\.js|tinyqueue|typebox)/' },
    },
    {
      name: 'shared-imports-nothing',
      comment: 'Every folder may import shared, which imports none itself.',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { path: '^src/', pathNot: '^src/shared/' },
    },
    {
      name: 'core-imports-shared-only',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { path: '^src/', pathNot: '^src/(core|shared)/' },
    },
    {
      name: 'wire-knows-no-peers',
      comment: 'The wire format stands below presence and mDNS.',
      severity: 'error',
      from: { path: '^src/core/wire/' },
      to: { path: '^src/core/(presence|mdns)/' },
    },
    {
      name: 'presence-below-mdns',
      comment:
        'The rules of mDNS report what they find in the types of presence, which does not know where it comes from.',
      severity: 'error',
      from: { path: '^src/core/presence/' },
      to: { path: '^src/core/mdns/' },
    },
    {
      name: 'io-imports-core-and-shared-only',
      severity: 'error',
      from: { path: '^src/io/' },
      to: { path: '^src/', pathNot: '^src/(io|core|shared)/' },
    },
    {
      name: 'net-knows-no-peers',
      comment: 'Sockets carry bytes and do not interpret them.',
      severity: 'error',
      from: { path: '^src/io/net/' },
      to: { path: '^src/core/(wire|presence|mdns)/' },
    },
    {
      name: 'client-loads-nothing-of-the-daemon',
      comment: 'Applications import the client: it may use shared types and the format of peer ids only.',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: '^src/', pathNot: '^src/(client|shared)/|^src/core/wire/id\\.ts$' },
    },
    {
      name: 'client-imports-no-other-package',
      comment:
        'Applications load all of the client: it may use the small parser of HTTP only, which its bundle contains.',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: '^node_modules/', pathNot: '^node_modules/http-parser-js/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'daemon-does-not-import-client-or-cli',
      severity: 'error',
      from: { path: '^src/daemon/' },
      to: { path: '^src/(client|cli)/' },
    },
    {
      name: 'cli-stays-out-of-the-daemon',
      comment: 'Commands talk to the daemon through the client. Only what starts or replaces the daemon imports it.',
      severity: 'error',
      from: { path: '^src/cli/', pathNot: '^src/cli/(earshotd|no-peers)\\.ts$' },
      to: { path: '^src/', pathNot: '^src/(cli|client|shared)/|^src/core/wire/id\\.ts$' },
    },
  ],
  options: {
    parser: 'swc',
    // Imports of types count as well.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
}
