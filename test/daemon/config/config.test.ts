import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Config, loadConfig } from '../../../src/daemon/config/config.ts'
import type { ProcessInfo } from '../../../src/daemon/config/defaults.ts'
import { DEFAULT_BROWSE_TYPES, fullServiceType } from '../../../src/daemon/config/values.ts'
import { BadConfig } from '../../../src/shared/errors.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'earshot-config-'))
  file = join(directory, 'earshot.toml')
})
afterEach(() => rmSync(directory, { recursive: true }))

interface Sources {
  flags?: Record<string, unknown>
  env?: Record<string, string>
  toml?: string
  facts?: Partial<ProcessInfo>
}

async function load({ flags = {}, env = {}, toml, facts = {} }: Sources): Promise<Config> {
  if (toml !== undefined) writeFileSync(file, toml)
  return await loadConfig(toml === undefined ? flags : { config: file, ...flags }, {
    env,
    uid: 1000,
    home: join(directory, 'home'),
    hostname: 'desk.lan.example',
    temporaryDirectory: directory,
    terminal: false,
    ...facts,
  })
}

/** The message of the BadConfig that these give, the file's path in it as FILE. */
async function fault(sources: Sources): Promise<string> {
  try {
    await load(sources)
  } catch (error) {
    expect(error).toBeInstanceOf(BadConfig)
    return error instanceof Error ? error.message.replaceAll(file, 'FILE').replaceAll(directory, 'DIR') : ''
  }
  throw new Error('there was no error')
}

test('every setting has a default', async () => {
  expect(await load({})).toEqual({
    name: 'desk',
    interface: [],
    exclude: undefined,
    port: 15_353,
    group4: '239.255.153.53',
    group6: 'ff12::153:53',
    interval: 1000,
    budget: 256_000,
    stateDir: join(directory, 'home/.local/state/earshot'),
    servicesDir: [join(directory, 'home/.config/earshot/services.d'), '/etc/earshot/services.d'],
    socket: join(directory, 'earshot-1000/control.sock'),
    http: { host: '127.0.0.1', port: 15_353 },
    mdns: { browse: DEFAULT_BROWSE_TYPES },
    logLevel: 'info',
    logFormat: 'json',
    file: undefined,
    attributes: {},
    services: [],
  })
})

test('precedence: flag, environment, file, default', async () => {
  const toml = 'name = "file"\ninterval = "2s"\nport = 1\ninterface = ["f*"]\nbudget = 64000'
  const env = { EARSHOT_NAME: 'environment', EARSHOT_PORT: '2', EARSHOT_INTERFACE: 'e*, w* ,', EARSHOT_HTTP: '' }
  const config = await load({ toml, env, flags: { name: 'flag' } })
  expect(config).toMatchObject({ name: 'flag', port: 2, interval: 2000, interface: ['e*', 'w*'], budget: 64_000 })
  expect(config.http).toEqual({ host: '127.0.0.1', port: 15_353 })
  expect(await load({ toml, env, flags: { interface: ['eth0', 'eth1'], port: '3' } })).toMatchObject({
    interface: ['eth0', 'eth1'],
    port: 3,
  })
})

test('the config is deeply frozen', async () => {
  const config = await load({ toml: '[[services]]\nname = "Shop"\ntype = "http"\nport = 80\ntxt = { a = "b" }' })
  const parts = [config, config.interface, config.services, config.services[0], config.services[0]?.txt, config.http]
  expect(parts.every(Object.isFrozen)).toBe(true)
})

test('log-format auto is pretty on a terminal, else json', async () => {
  expect((await load({ facts: { terminal: true } })).logFormat).toBe('pretty')
  expect((await load({ facts: { terminal: true }, flags: { 'log-format': 'json' } })).logFormat).toBe('json')
  expect((await load({ flags: { 'log-format': 'pretty' } })).logFormat).toBe('pretty')
})

test('services-dir can name other directories, or none', async () => {
  expect((await load({ facts: { uid: 0 } })).servicesDir).toEqual(['/etc/earshot/services.d'])
  expect(
    (await load({ facts: { home: undefined }, env: { XDG_STATE_HOME: '/s', XDG_CONFIG_HOME: '/x' } })).servicesDir,
  ).toEqual(['/x/earshot/services.d', '/etc/earshot/services.d'])
  expect((await load({ toml: 'services-dir = []' })).servicesDir).toEqual([])
  expect((await load({ toml: '', env: { EARSHOT_SERVICES_DIR: '/a,/b' } })).servicesDir).toEqual(['/a', '/b'])
})

test.each(['off', 'no', 'FALSE', '0'])('EARSHOT_MDNS=%s turns mDNS off', async (text) => {
  expect((await load({ env: { EARSHOT_MDNS: text } })).mdns).toBe(false)
  expect((await load({ flags: { mdns: text } })).mdns).toBe(false)
})

test.each(['on', 'yes', 'True', '1'])('EARSHOT_MDNS=%s turns mDNS on', async (text) => {
  expect((await load({ env: { EARSHOT_MDNS: text } })).mdns).not.toBe(false)
})

test('http can be a port or false, as a number and a boolean in TOML', async () => {
  expect((await load({ toml: 'http = 8080' })).http).toEqual({ host: '127.0.0.1', port: 8080 })
  expect((await load({ toml: 'http = false' })).http).toBeUndefined()
  expect((await load({ env: { EARSHOT_HTTP: 'false' } })).http).toBeUndefined()
})

test('http can be off', async () => {
  expect((await load({ toml: 'http = "off"' })).http).toBeUndefined()
  expect((await load({ flags: { http: '[::1]:0' } })).http).toEqual({ host: '::1', port: 0 })
})

describe('the file', async () => {
  test('has attributes and services', async () => {
    const toml = `
      [attributes]
      status = "idle"
      temperature = 21.5
      open = true
      [[services]]
      name = "Shop"
      type = "http"
      port = 8080
      txt = { path = "/" }
      subtypes = ["_printer"]
      [[services]]
      id = "osc"
      name = "Sound"
      type = "_osc._udp"
      port = 9000`
    const config = await load({ toml })
    expect(config.attributes).toEqual({ status: 'idle', temperature: 21.5, open: true })
    expect(config.services).toEqual([
      { id: 'shop', name: 'Shop', type: '_http._tcp', port: 8080, txt: { path: '/' }, subtypes: ['_printer'] },
      { id: 'osc', name: 'Sound', type: '_osc._udp', port: 9000, txt: {}, subtypes: [] },
    ])
    expect(config.file).toBe(file)
  })

  test("is the user's own file if it exists", async () => {
    const own = join(directory, 'home/.config/earshot')
    const asked = join(directory, 'xdg/earshot')
    for (const [place, name] of [
      [own, 'own'],
      [asked, 'xdg'],
    ] as const) {
      mkdirSync(place, { recursive: true })
      writeFileSync(join(place, 'earshot.toml'), `name = "${name}"`)
    }
    expect((await load({})).name).toBe('own')
    expect((await load({ env: { XDG_CONFIG_HOME: join(directory, 'xdg') } })).name).toBe('xdg')
    expect((await load({ facts: { uid: 0 } })).name).toBe('desk')
    expect(
      (await load({ env: { EARSHOT_CONFIG: file }, toml: 'name = "named"', flags: { config: undefined } })).name,
    ).toBe('named')
  })
})

describe('mDNS', async () => {
  test.each<[string, Sources, Config['mdns']]>([
    ['off in the file', { toml: 'mdns = false' }, false],
    ['off by --no-mdns', { flags: { mdns: false } }, false],
    ['off by a flag', { flags: { mdns: 'false' } }, false],
    ['off in the environment', { env: { EARSHOT_MDNS: 'false' }, toml: '[mdns]\nbrowse = "*"' }, false],
    ['on by a flag', { flags: { mdns: 'true', 'mdns-browse': [] }, toml: 'mdns = false' }, { browse: [] }],
    ['types in a table', { toml: '[mdns]\nbrowse = ["_ipp._tcp", "HTTP"]' }, { browse: ['_ipp._tcp', '_http._tcp'] }],
    ['types with a dot', { toml: 'mdns.browse = ["osc/udp", "_OSC._udp"]' }, { browse: ['_osc._udp'] }],
    ['types as mdns-browse', { toml: 'mdns-browse = ["ipp"]' }, { browse: ['_ipp._tcp'] }],
    [
      'types that RFC 6335 forbids',
      { toml: 'mdns.browse = ["_androidtvremote2._tcp", "NVstream_dbd"]' },
      { browse: ['_androidtvremote2._tcp', '_nvstream_dbd._tcp'] },
    ],
    ['the longest type', { toml: `mdns.browse = ["${'x'.repeat(62)}/udp"]` }, { browse: [`_${'x'.repeat(62)}._udp`] }],
    ['no types', { toml: 'mdns.browse = []' }, { browse: [] }],
    ['all types', { toml: 'mdns.browse = "*"' }, { browse: ['*', ...DEFAULT_BROWSE_TYPES] }],
    [
      'all types by a flag',
      { flags: { 'mdns-browse': ['mine', '*'] } },
      { browse: ['_mine._tcp', '*', ...DEFAULT_BROWSE_TYPES] },
    ],
    [
      'types in the environment',
      { env: { EARSHOT_MDNS_BROWSE: 'ipp,osc/udp' } },
      { browse: ['_ipp._tcp', '_osc._udp'] },
    ],
    ['an empty table', { toml: '[mdns]' }, { browse: DEFAULT_BROWSE_TYPES }],
  ])('%s', async (_, sources, mdns) => {
    expect((await load(sources)).mdns).toEqual(mdns)
  })

  test('the default types are valid, and each is listed once', async () => {
    for (const type of DEFAULT_BROWSE_TYPES) expect(fullServiceType(type)).toBe(type)
    expect(DEFAULT_BROWSE_TYPES).toContain('_androidtvremote2._tcp')
    expect(new Set(DEFAULT_BROWSE_TYPES).size).toBe(DEFAULT_BROWSE_TYPES.length)
  })
})

describe('default paths', async () => {
  test('under systemd', async () => {
    const env = {
      RUNTIME_DIRECTORY: '/run/earshot',
      STATE_DIRECTORY: '/var/lib/earshot:/var/lib/more',
      XDG_RUNTIME_DIR: '/x',
    }
    expect(await load({ env })).toMatchObject({ socket: '/run/earshot/control.sock', stateDir: '/var/lib/earshot' })
  })

  test('without systemd', async () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/1000', XDG_STATE_HOME: '/s' }
    expect(await load({ env })).toMatchObject({ socket: '/run/user/1000/earshot/control.sock', stateDir: '/s/earshot' })
  })

  // Root's socket lies elsewhere.
  test.skipIf(process.getuid?.() === 0)('the temporary directory is used only if others cannot enter', async () => {
    const uid = process.getuid?.() ?? 0
    mkdirSync(join(directory, `earshot-${uid}`))
    chmodSync(join(directory, `earshot-${uid}`), 0o755)
    expect(await fault({ facts: { uid } })).toMatch(/^socket: other users can access DIR\/earshot-\d+/)
  })

  test('a directory of another user in the temporary directory is refused', async () => {
    const uid = (process.getuid?.() ?? 0) + 1
    mkdirSync(join(directory, `earshot-${uid}`), { mode: 0o700 })
    expect(await fault({ facts: { uid } })).toMatch(
      /^socket: DIR\/earshot-\d+ belongs to another user .*\(.*--socket\)$/,
    )
  })

  test('without a home directory', async () => {
    expect(await fault({ facts: { home: undefined } })).toBe(
      'state-dir: there is no home directory to keep it in (give --state-dir)',
    )
  })
})

const DURATION = 'expected a duration such as 500ms, 2s or 5m'
test.each<[Sources, string]>([
  [{ toml: 'interval = "soon"' }, `FILE: interval: ${DURATION}, found "soon"`],
  [{ toml: 'interval = 1000' }, `FILE: interval: ${DURATION}, found 1000`],
  [{ env: { EARSHOT_INTERVAL: 'soon' } }, `EARSHOT_INTERVAL: ${DURATION}, found "soon"`],
  [{ flags: { interval: '2h' } }, '--interval: expected a duration from 100ms to 1h, found "2h"'],
  [{ flags: { name: '' } }, '--name: expected a name of 1 to 63 characters without control characters, found ""'],
  [
    { env: { EARSHOT_NAME: 'a\u001b' } },
    'EARSHOT_NAME: expected a name of 1 to 63 characters without control characters, found "a\\u001b"',
  ],
  [{ flags: { port: '0' } }, '--port: expected a port from 1 to 65535, found 0'],
  [
    { env: { EARSHOT_PORT: 'tcp://10.0.0.1:80' } },
    'EARSHOT_PORT: expected a port from 1 to 65535, found "tcp://10.0.0.1:80"',
  ],
  [{ toml: 'port = "15353"' }, 'FILE: port: expected a port from 1 to 65535, found "15353"'],
  [
    { toml: 'interface = "eth0"' },
    'FILE: interface: expected a list of interface names or patterns such as ["eth*", "wlan0"], found "eth0"',
  ],
  [{ flags: { exclude: [''] } }, '--exclude: expected an interface name or pattern such as eth* or wlan0, found ""'],
  [
    { toml: 'services-dir = "/a"' },
    'FILE: services-dir: expected a list of paths of directories such as ["/etc/earshot/services.d"], found "/a"',
  ],
  [{ toml: 'services-dir = ["/a", 1]' }, 'FILE: services-dir[1]: expected the path of a directory, found 1'],
  [
    { flags: { group4: '10.0.0.1' } },
    '--group4: expected an IPv4 multicast address such as 239.255.153.53, found "10.0.0.1"',
  ],
  [
    { flags: { group6: 'ff05::1' } },
    '--group6: expected an IPv6 multicast address of link-local scope such as ff12::153:53, found "ff05::1"',
  ],
  [
    { flags: { budget: 'much' } },
    '--budget: expected a rate from 1kbit to 1gbit such as 256kbit, 1mbit or 256000 (bits per second), found "much"',
  ],
  [
    { toml: 'budget = 10' },
    'FILE: budget: expected a rate from 1kbit to 1gbit such as 256kbit, 1mbit or 256000 (bits per second), found 10',
  ],
  [{ toml: 'socket = ""' }, 'FILE: socket: expected a path, found ""'],
  [
    { flags: { 'log-level': 'loud' } },
    '--log-level: expected one of fatal, error, warn, info, debug, trace, silent, found "loud"',
  ],
  [{ toml: 'log-format = "xml"' }, 'FILE: log-format: expected one of auto, pretty, json, found "xml"'],
  [
    { toml: 'http = true' },
    'FILE: http: expected a loopback address with a port such as 127.0.0.1:15353, or off, found true',
  ],
  [
    { toml: 'mdns = "off"' },
    'FILE: mdns: expected true, false, or in the file a table [mdns] with browse, found "off"',
  ],
  [
    { flags: { mdns: 'maybe' } },
    '--mdns: expected true, false, or in the file a table [mdns] with browse, found "maybe"',
  ],
  [
    { toml: 'mdns.browse = ["ipp", "bad type!"]' },
    'FILE: mdns.browse[1]: expected a service type such as ipp, _ipp._tcp or osc/udp (at most 62 letters, digits, - and _), or * for all, found "bad type!"',
  ],
  [
    { env: { EARSHOT_MDNS_BROWSE: 'ipp,bad type!' } },
    'EARSHOT_MDNS_BROWSE: expected a service type such as ipp, _ipp._tcp or osc/udp (at most 62 letters, digits, - and _), or * for all, found "bad type!"',
  ],
  [
    { toml: `mdns.browse = ["_${'x'.repeat(63)}._tcp"]` },
    `FILE: mdns.browse[0]: expected a service type such as ipp, _ipp._tcp or osc/udp (at most 62 letters, digits, - and _), or * for all, found "_${'x'.repeat(58)}…`,
  ],
  [
    { toml: 'mdns.browse = ["ipp", 5]' },
    'FILE: mdns.browse[1]: expected a service type such as ipp, _ipp._tcp or osc/udp (at most 62 letters, digits, - and _), or * for all, found 5',
  ],
  [
    { toml: '[mdns]\nbrowse = "ipp"' },
    'FILE: mdns.browse: expected a list of service types such as ["ipp", "_ipp._tcp", "osc/udp"], or "*" for all, found "ipp"',
  ],
  [{ toml: '[mdns]\nbrows = []' }, "FILE: unknown key 'mdns.brows' (did you mean 'mdns.browse'?)"],
  [
    { toml: 'mdns-browse = "ipp"' },
    'FILE: mdns-browse: expected a list of service types such as ["ipp", "_ipp._tcp", "osc/udp"], or "*" for all, found "ipp"',
  ],
  [{ toml: '[port]\nbrowse = []' }, 'FILE: port: expected a port from 1 to 65535, found {"browse":[]}'],
  [{ toml: 'intervall = "1s"' }, "FILE: unknown key 'intervall' (did you mean 'interval'?)"],
  [{ toml: 'config = "x"' }, "FILE: unknown key 'config'"],
  [{ env: { EARSHOT_INTERVALL: '1s' } }, "EARSHOT_INTERVALL: unknown variable (did you mean 'EARSHOT_INTERVAL'?)"],
  [{ flags: { config: '/nonexistent/file' } }, '--config: cannot read /nonexistent/file: no such file'],
  [{ env: { EARSHOT_CONFIG: '/' } }, 'EARSHOT_CONFIG: cannot read /: it is a directory'],
  [
    { toml: 'attributes = 1' },
    'FILE: attributes: expected a table of texts (at most 1024 characters), numbers or booleans with ASCII keys, found 1',
  ],
  [{ toml: '[[services]]\nname = "x"\ntype = "http"' }, "FILE: services[0]: 'port' is missing"],
  [
    { toml: '[[services]]\nname = "x"\ntype = "http"\nprot = 1\nport = 1' },
    "FILE: services[0]: unknown key 'prot' (did you mean 'port'?)",
  ],
  [
    { toml: '[[services]]\nname = "x"\ntype = "no spaces"\nport = 1' },
    'FILE: services[0].type: expected a type such as http or _http._tcp (at most 15 letters, digits and single hyphens, one letter at least), found "no spaces"',
  ],
  [
    { toml: '[[services]]\nname = "x"\ntype = "http"\nport = 65536' },
    'FILE: services[0].port: expected a port from 0 to 65535, found 65536',
  ],
  [
    { toml: '[[services]]\nname = "x"\ntype = "http"\nport = 1\ntxt = { a = [1] }' },
    'FILE: services[0].txt.a: expected a text of at most 1024 characters (no unpaired surrogates), a number or a boolean, found [1]',
  ],
  [
    { toml: '[[services]]\nname = "x"\ntype = "_x._udp"\nprotocol = "tcp"\nport = 1' },
    `FILE: services[0].protocol: expected the protocol of type '_x._udp', found "tcp"`,
  ],
  [
    { toml: `[[services]]\nname = "x"\ntype = "http"\nport = 1\ntxt = { a = "${'x'.repeat(254)}" }` },
    'FILE: services[0].txt.a: key, = and value together have 256 bytes, and the limit is 255 (RFC 6763, section 6.1)',
  ],
  [
    { toml: '[[services]]\nname = "x"\ntype = "http"\nport = 1\ntxt = { "a=b" = 1 }' },
    'FILE: services[0].txt: expected keys of 1 to 64 printable ASCII characters, no spaces and no =, found "a=b"',
  ],
  [
    { toml: '[attributes]\na = inf' },
    'FILE: attributes: expected a table of texts (at most 1024 characters), numbers or booleans with ASCII keys, found {"a":null}',
  ],
  [
    { toml: '[[services]]\nname = "x"\ntype = "a"\nport = 1\n[[services]]\nname = "X"\ntype = "b"\nport = 1' },
    "FILE: services[1].id: services[0] has the id 'x' too (give each service its own id)",
  ],
])('%j', async (sources, message) => {
  expect(await fault(sources)).toBe(message)
})

test('a host that is not loopback is refused with the reason', async () => {
  expect(await fault({ flags: { http: '0.0.0.0:80' } })).toMatch(/^--http: .*must be on loopback, not 0\.0\.0\.0/)
  expect(await fault({ toml: 'http = "example.org:80"' })).toMatch(
    /^FILE: http: .*must be on loopback, not example\.org/,
  )
})

test('the error for invalid TOML names line and column', async () => {
  expect(await fault({ toml: 'port = 1\nname = \n' })).toMatch(/^FILE:2:\d+: .+$/)
  expect(await fault({ toml: 'port = 1\n\nport = 2\n' })).toMatch(/^FILE:3:\d+: .+$/)
})

test('variables of other programs that begin with EARSHOT_ are ignored', async () => {
  expect((await load({ env: { EARSHOT_REQUIRE_LAB: '1', EARSHOT_SERVICE_HOST: '10.0.0.1' } })).name).toBe('desk')
})
