import { readdirSync, readFileSync } from 'node:fs'

/** Processor time of all threads of a process so far, ms. Counted by the scheduler in nanoseconds, unlike the ticks of /proc/PID/stat. */
export function cpuTime(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => sum + onCpu(`/proc/${pid}/task/${thread}/schedstat`), 0) / 1e6
}

function onCpu(path: string): number {
  try {
    return Number(readFileSync(path, 'latin1').split(' ')[0])
  } catch {
    // The thread has just ended.
    return 0
  }
}

/** Resident memory of a process, MiB. Exact, unlike VmRSS of /proc/PID/status. */
export function residentMemory(pid: number): number {
  const [, kib] = /^Rss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')) ?? []
  return Number(kib) / 1024
}

/** The number of UDP datagrams that the network namespace of a process has received so far. */
export function receivedDatagrams(pid: number): number {
  const [names = '', values = ''] = readFileSync(`/proc/${pid}/net/snmp`, 'latin1').match(/^Udp: .*$/gm) ?? []
  const ipv4 = values.split(' ')[names.split(' ').indexOf('InDatagrams')]
  const [, ipv6] = /^Udp6InDatagrams\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/net/snmp6`, 'latin1')) ?? []
  return Number(ipv4) + Number(ipv6 ?? 0)
}
