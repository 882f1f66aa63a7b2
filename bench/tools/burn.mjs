// Uses processor time until the process has used this much, including its start. Argument: ms.
const limit = Number(process.argv[2]) * 1000
for (let used = 0; used < limit; ) {
  const { user, system } = process.cpuUsage()
  used = user + system
}
