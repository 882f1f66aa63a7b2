import { execFileSync } from 'node:child_process'
import { chmod, chown, copyFile, link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeLab, type Host, Lab, type LabProcess, type Output } from '../lab/index.ts'

/** The names under which the executable is called, by the way in which they are made. */
const NAMES = { file: 'earshot', symlink: 'earshotd', hardLink: 'earshotd-1', other: 'who' }
const HOSTS = ['kitchen', 'study']
const NOBODY = 65534
const CONFIG = `
name = "kitchen"
http = "off"
log-format = "pretty"

[attributes]
room = "ground floor"

[[services]]
name = "Shop"
type = "http"
port = 8080
`
const SERVICE_FILE = `<?xml version="1.0" standalone='no'?>
<!DOCTYPE service-group SYSTEM "avahi-service.dtd">
<service-group>
  <name replace-wildcards="yes">Printer of %h</name>
  <service><type>_ipp._tcp</type><port>631</port></service>
</service-group>
`

describeLab('the single executable', () => {
  let directory: string
  let lab: Lab
  let kitchen: Host
  let study: Host
  beforeAll(async () => {
    execFileSync('npm', ['run', '--silent', 'exe'], { stdio: ['ignore', 'ignore', 'inherit'] })
    directory = await mkdtemp(join(tmpdir(), 'earshot-executable-'))
    await copyFile('dist/exe/earshot', join(directory, NAMES.file))
    await symlink(NAMES.file, join(directory, NAMES.symlink))
    await link(join(directory, NAMES.file), join(directory, NAMES.hardLink))
    await symlink(NAMES.file, join(directory, NAMES.other))
    for (const name of HOSTS) {
      await mkdir(join(directory, name))
      await chown(join(directory, name), NOBODY, NOBODY)
    }
    // Others may run the executable, and create nothing beside it.
    await chmod(directory, 0o555)
    lab = await Lab.create()
    const [one, other] = await lab.hosts(HOSTS, [await lab.network('lan')])
    if (!one || !other) throw new Error('no hosts')
    kitchen = one
    study = other
  })
  afterAll(async () => {
    await lab?.close()
    await rm(directory, { recursive: true, force: true })
  })

  /** The directory of a host's files, which belongs to a user without privileges. */
  const home = ({ name }: Host) => join(directory, name)

  /**
   * The words that run the executable as a user without privileges, without any program in the path, and with an option for Node that it has to
   * ignore.
   */
  function command(host: Host, name: string): string[] {
    const user = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
    const variables = [
      'PATH=',
      'NODE_OPTIONS=--require=/missing',
      'NODE_DEBUG=earshot',
      `HOME=${home(host)}`,
      `EARSHOT_SOCKET=${home(host)}/control.sock`,
    ]
    return [...user, 'env', ...variables, join(directory, name)]
  }

  function exec(host: Host, name: string, ...args: string[]): Promise<Output> {
    const [program = '', ...words] = command(host, name)
    return host.exec(program, [...words, ...args])
  }

  function spawn(host: Host, name: string, ...args: string[]): Promise<LabProcess> {
    const [program = '', ...words] = command(host, name)
    return host.spawn(program, [...words, ...args], { what: name })
  }

  /** Runs the command `earshot`, and returns what it writes. It must not write to standard error. */
  async function output(host: Host, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await exec(host, NAMES.file, ...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout
  }

  it('is the daemon or the command by the name by which it is called', async () => {
    for (const [name, usage] of [
      [NAMES.file, 'earshot COMMAND'],
      [NAMES.other, 'earshot COMMAND'],
      [NAMES.symlink, 'earshotd [FLAGS]'],
      [NAMES.hardLink, 'earshotd [FLAGS]'],
    ] as const) {
      const help = await exec(kitchen, name, '--help')
      expect(help).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^earshotd? .*\n\n/) })
      expect(help.stdout.split('\n')[0]).toBe(usage)
      expect(await exec(kitchen, name, '--version')).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      })
    }
  })

  it('prints help, suggestions and completions', async () => {
    expect(await output(kitchen, 'ls', '--help')).toContain('--service')
    expect(await output(kitchen, 'completion')).toContain('earshot --get-yargs-completions')
    expect(await output(kitchen, '--get-yargs-completions', 'earshot', 'unp')).toContain('unpublish\n')
    expect(await exec(kitchen, NAMES.file, 'sl')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('ls'),
    })
    expect(await exec(kitchen, NAMES.symlink, '--prot', '1')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--port'),
    })
  })

  it('runs daemons that see each other and do all that the package does', async () => {
    const [config, services] = [join(home(kitchen), 'earshot.toml'), join(home(kitchen), 'services.d')]
    await writeFile(config, CONFIG)
    await mkdir(services)
    await writeFile(join(services, 'printer.service'), SERVICE_FILE)
    const daemons = await Promise.all([
      spawn(kitchen, NAMES.symlink, '--state-dir', home(kitchen), '--config', config, '--services-dir', services),
      spawn(study, NAMES.hardLink, '--state-dir', home(study), '--http', 'off', '--log-format', 'json'),
    ])
    for (const daemon of daemons) await daemon.waitForLine(/\bready\b/)

    const waited = await output(study, 'wait', '--service', 'http', '--timeout', '30s')
    expect(waited).toContain('kitchen')
    await expect.poll(() => output(kitchen, 'ls')).toContain('study')
    expect(await output(study, 'ls')).toContain('kitchen')
    expect(await output(study, 'show', 'kitchen')).toContain('ground floor')
    const listed = await output(study, 'services')
    expect(listed).toContain('Shop')
    expect(listed).toContain('Printer of kitchen')

    const music = await spawn(kitchen, NAMES.file, 'publish', 'Music', 'daap', '3689', '--', '/bin/sleep', '60')
    expect(await output(study, 'wait', '--service', 'daap', '--timeout', '30s')).toContain('kitchen')
    await music.kill('SIGTERM')

    await expect.poll(() => output(kitchen, 'status', '--json')).toContain('"hostname": "kitchen.local"')
    const log = daemons.map(({ lines }) => lines.items.map(({ text }) => text).join('\n'))
    for (const text of log) expect(text).not.toContain('does not fit')
    expect(log[0]).not.toMatch(/^\{/m)
    for (const daemon of daemons) expect(await daemon.kill('SIGTERM')).toEqual({ code: 0, signal: null })
  })
})
