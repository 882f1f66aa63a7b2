import { spawnSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { ServiceFile } from '../../../src/daemon/services/own-services.ts'
import { ServiceFiles } from '../../../src/daemon/services/service-files.ts'
import { Ticker } from '../../../src/io/ticker.ts'
import { temporaryDirectory } from '../../temporary-directory.ts'

const SHOP = 'type = "http"\nport = 80\n'

/** Watches a directory; `until` resolves with what was seen when it is as wanted, as `shop.toml: shop:80` or `shop.toml: reason`. */
async function watch(...directories: string[]) {
  return await watchBy(ServiceFiles, new Ticker(), ...directories)
}

async function watchBy(Watcher: typeof ServiceFiles, ticker: Ticker, ...directories: string[]) {
  let seen: string[] = []
  let wake = () => {}
  const files = new Watcher(
    directories,
    { name: 'kitchen', hostname: 'kitchen.lan' },
    (now) => {
      seen = now.map(shown)
      wake()
    },
    ticker,
  )
  onTestFinished(() => files.close())
  const shown = (read: ServiceFile) => {
    const file = directories.reduce((path, directory) => path.replace(`${directory}/`, ''), read.file)
    return `${file}: ${'error' in read ? read.error : read.services.map(({ id, port }) => `${id}:${port}`)}`
  }
  await files.open()
  return {
    seen: () => seen,
    async until(...wanted: string[]): Promise<void> {
      while (JSON.stringify(seen) !== JSON.stringify(wanted)) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}

test('service files are read in the order of directories and names, other files are not read', async () => {
  const [first, second] = [await temporaryDirectory(), await temporaryDirectory()]
  const names = [
    'b.toml',
    'a.service',
    '.a.toml.swp',
    '.hidden.toml',
    'a.toml~',
    '#a.toml#',
    'a.toml.dpkg-new',
    'README',
  ]
  const avahi = '<service-group><name>x</name><service><type>_a._tcp</type><port>7</port></service></service-group>'
  for (const name of names) await writeFile(join(second, name), name.endsWith('.service') ? avahi : SHOP)
  await writeFile(join(first, 'mein Café.toml'), `\ufeff${SHOP}`)
  await symlink('/nowhere', join(first, '.#mein Café.toml'))
  const { seen } = await watch(first, second, first)
  expect(seen()).toEqual(['mein Café.toml: mein-cafe:80', 'a.service: a:7', 'b.toml: b:80'])
})

test('what cannot be read is reported with the reason, and the rest is read', async () => {
  const directory = await temporaryDirectory()
  const at = (name: string) => join(directory, name)
  await writeFile(at('big.toml'), `${SHOP}# ${'x'.repeat(65_536)}`)
  await mkdir(at('directory.toml'))
  await writeFile(at('latin.toml'), Buffer.from(`${SHOP}name = "Caf\xe9"`, 'latin1'))
  await symlink('/nowhere', at('link.toml'))
  await symlink('loop.toml', at('loop.toml'))
  spawnSync('mkfifo', [at('pipe.toml')])
  await symlink('/dev/zero', at('zero.toml'))
  await writeFile(at('shop.toml'), SHOP)
  await symlink('shop.toml', at('twin.toml'))
  await writeFile(at('wrong.toml'), 'type = "http"\nport = ')
  await writeFile(join(directory, 'plain'), '')
  const { until } = await watch(directory, join(directory, 'plain'))
  await until(
    'plain: it is not a directory',
    'big.toml: it is larger than 64 KiB',
    'directory.toml: it is a directory',
    'latin.toml: it is not UTF-8 text',
    'link.toml: the target of the symbolic link does not exist',
    'loop.toml: the symbolic link is part of a loop',
    'pipe.toml: it is not a regular file',
    'shop.toml: shop:80',
    'twin.toml: twin:80',
    'wrong.toml: line 2, column 8: invalid value',
    'zero.toml: it is not a regular file',
  )
})

// Root may read everything.
test.skipIf(process.getuid?.() === 0)('a file without read permission is read when it gets it', async () => {
  const directory = await temporaryDirectory()
  await writeFile(join(directory, 'shop.toml'), SHOP, { mode: 0 })
  const { until } = await watch(directory)
  await until('shop.toml: permission denied')
  await chmod(join(directory, 'shop.toml'), 0o600)
  await until('shop.toml: shop:80')
})

test('follows files and directories as they are added, changed, broken, repaired and removed', async () => {
  const directory = join(await temporaryDirectory(), 'services.d')
  const file = join(directory, 'shop.toml')
  const { until, seen } = await watch(directory)
  expect(seen()).toEqual([])
  const steps: [() => Promise<unknown>, ...string[]][] = [
    [() => mkdir(directory)],
    [() => writeFile(file, SHOP), 'shop.toml: shop:80'],
    [() => writeFile(file, 'type = "http"\nport = 81\n'), 'shop.toml: shop:81'],
    [() => writeFile(file, 'port = 81'), "shop.toml: 'type' is missing"],
    [() => writeFile(file, SHOP), 'shop.toml: shop:80'],
    [() => rename(file, join(directory, 'other.toml')), 'other.toml: other:80'],
    [() => rm(directory, { recursive: true })],
  ]
  for (const [action, ...wanted] of steps) {
    const start = performance.now()
    await action()
    await until(...wanted)
    expect(performance.now() - start).toBeLessThan(2000)
  }
})

test('a change is noticed even if size and mtime stay the same', async () => {
  const directory = await temporaryDirectory()
  const file = join(directory, 'shop.toml')
  const write = async (port: number) => {
    await writeFile(file, `type = "http"\nport = ${port}`)
    await utimes(file, 1_000_000, 1_000_000)
  }
  await write(80)
  const { until } = await watch(directory)
  await write(81)
  await until('shop.toml: shop:81')
})

test('the examples of docs/SERVICES.md are valid files', async () => {
  const guide = await readFile(new URL('../../../docs/SERVICES.md', import.meta.url), 'utf8')
  const directory = await temporaryDirectory()
  for (const [, language, text = ''] of guide.matchAll(/```(toml|xml)\n([^`]*)```/g)) {
    await writeFile(join(directory, language === 'toml' ? 'shop.toml' : 'samba.service'), text)
  }
  const { seen } = await watch(directory)
  expect(seen()).toEqual(['samba.service: samba.smb-tcp:445,samba.device-info-tcp:0', 'shop.toml: shop:8080'])
})

test('a directory with too many entries is reported, and the other directories are read', async () => {
  const [crowded, other] = [await temporaryDirectory(), await temporaryDirectory()]
  for (let number = 0; number < 4200; number++) await writeFile(join(crowded, `${number}.txt`), '')
  await writeFile(join(other, 'shop.toml'), SHOP)
  const { seen } = await watch(crowded, other)
  expect(seen()).toEqual([`${crowded}: only the first 4096 entries are looked at`, 'shop.toml: shop:80'])
})

/** The class with some functions of a module of Node replaced. */
async function withReplaced(module: 'node:fs' | 'node:fs/promises', functions: object): Promise<typeof ServiceFiles> {
  vi.resetModules()
  vi.doMock(module, async (importOriginal) => ({ ...(await importOriginal<object>()), ...functions }))
  onTestFinished(() => void vi.doUnmock(module))
  const { ServiceFiles: Mocked } = await import('../../../src/daemon/services/service-files.ts')
  return Mocked
}

/** A ticker, and a function that runs the tasks whose interval has passed after some time, ms. */
function manualTicker(): { ticker: Ticker; pass(time: number): void } {
  let now = 0
  const ticker = new Ticker(() => now)
  const pass = (time: number) => {
    now += time
    ticker.awake()
  }
  return { ticker, pass }
}

test('the error of a directory stays while the process has no descriptor to read it', async () => {
  const codes = ['EACCES', 'EMFILE', 'EMFILE']
  const Mocked = await withReplaced('node:fs/promises', {
    opendir: async () => {
      const code = codes.shift() ?? 'ENOENT'
      throw Object.assign(new Error(code), { code })
    },
  })
  const scans: (readonly ServiceFile[])[] = []
  const { ticker, pass } = manualTicker()
  const files = new Mocked(['/shared'], { name: 'kitchen', hostname: 'kitchen.lan' }, (now) => scans.push(now), ticker)
  onTestFinished(() => files.close())
  await files.open()
  for (let scan = 2; scan <= 3; scan++) {
    pass(1000)
    await vi.waitUntil(() => scans.length === scan)
  }
  const [first, ...later] = scans
  expect(first).toEqual([{ file: '/shared', error: 'permission denied' }])
  // The same object: nothing has changed, and nothing is logged again.
  for (const now of later) expect(now[0]).toBe(first?.[0])
})

test('a change of the file to which a symbolic link leads is noticed like any other', async () => {
  const [directory, elsewhere] = [await temporaryDirectory(), await temporaryDirectory()]
  const target = join(elsewhere, 'target')
  await writeFile(target, SHOP)
  await symlink(target, join(directory, 'shop.toml'))
  const { until, seen } = await watch(directory)
  expect(seen()).toEqual(['shop.toml: shop:80'])
  await writeFile(target, 'type = "http"\nport = 81\n')
  await until('shop.toml: shop:81')
  await writeFile(target, 'type = "http"\nport = 82\n')
  await until('shop.toml: shop:82')
})

test('a change that the kernel does not report is found by a scan without a reason', async () => {
  const above = join(await temporaryDirectory(), 'above')
  const directory = join(above, 'services.d')
  await mkdir(directory, { recursive: true })
  const { ticker, pass } = manualTicker()
  const { until } = await watchBy(ServiceFiles, ticker, directory)
  await rename(above, `${above}.old`)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'shop.toml'), SHOP)
  const found = until('shop.toml: shop:80')
  pass(30_000)
  pass(1000)
  await found
})

test('links into many directories are watched up to the number of files, and not after the end', async () => {
  const [directory, elsewhere] = [await temporaryDirectory(), await temporaryDirectory()]
  for (let number = 0; number < 300; number++) {
    const target = join(elsewhere, `${number}`)
    await mkdir(target)
    await writeFile(join(target, 'shop'), SHOP)
    await symlink(join(target, 'shop'), join(directory, `${number}.toml`))
  }
  const { ticker, pass } = manualTicker()
  let scans = 0
  const files = new ServiceFiles([directory], { name: 'kitchen', hostname: 'kitchen.lan' }, () => scans++, ticker)
  onTestFinished(() => files.close())
  await files.open()
  pass(1000)
  await vi.waitUntil(() => scans === 2)
  expect(await watchedInodes()).toBe(257)
  files.close()
  await vi.waitUntil(async () => (await watchedInodes()) === 0)
})

/** How many files and directories this process watches by inotify. */
async function watchedInodes(): Promise<number> {
  let count = 0
  for (const descriptor of await readdir('/proc/self/fdinfo')) {
    const info = await readFile(`/proc/self/fdinfo/${descriptor}`, 'utf8').catch(() => '')
    count += info.match(/^inotify wd:/gm)?.length ?? 0
  }
  return count
}

test('a directory that cannot be watched is scanned each second', async () => {
  const Mocked = await withReplaced('node:fs', {
    watch: () => {
      throw Object.assign(new Error('System limit for number of file watchers reached'), { code: 'ENOSPC' })
    },
  })
  const directory = await temporaryDirectory()
  const { ticker, pass } = manualTicker()
  const { until } = await watchBy(Mocked, ticker, directory)
  await writeFile(join(directory, 'shop.toml'), SHOP)
  pass(1000)
  await until('shop.toml: shop:80')
})
