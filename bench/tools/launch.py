"""Starts programs and measures what they cost, with less disturbance than a Node process would cause.

Reads one request a line from standard input, as JSON, and writes one answer a line:
  {"op": "run", "argv": [...], "env": {...}}                  -> {"status": 0, "wall": ms, "cpu": ms}
  {"op": "start", "argv": [...], "env": {...}, "log": PATH}   -> {"pid": 1, "at": ms since 1970}
  {"op": "stop", "pid": 1}                                    -> {"status": -15, "cpu": ms}
`cpu` is the processor time of the whole process with all its threads, user and system, as wait4(2) reports it.
"""
import json
import os
import signal
import sys
import time

NOWHERE = os.open(os.devnull, os.O_RDWR)


def spawn(request, out):
    files = [(os.POSIX_SPAWN_DUP2, NOWHERE, 0), (os.POSIX_SPAWN_DUP2, out, 1)]
    if out != NOWHERE:
        files.append((os.POSIX_SPAWN_DUP2, out, 2))
    return os.posix_spawnp(request["argv"][0], request["argv"], request["env"], file_actions=files)


def cpu(usage):
    return (usage.ru_utime + usage.ru_stime) * 1000


def run(request):
    begin = time.perf_counter()
    _, status, usage = os.wait4(spawn(request, NOWHERE), 0)
    wall = (time.perf_counter() - begin) * 1000
    return {"status": os.waitstatus_to_exitcode(status), "wall": wall, "cpu": cpu(usage)}


def start(request):
    out = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    at = time.time() * 1000
    pid = spawn(request, out)
    os.close(out)
    return {"pid": pid, "at": at}


def stop(request):
    os.kill(request["pid"], signal.SIGTERM)
    _, status, usage = os.wait4(request["pid"], 0)
    return {"status": os.waitstatus_to_exitcode(status), "cpu": cpu(usage)}


OPERATIONS = {"run": run, "start": start, "stop": stop}
print("ready")
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(OPERATIONS[request["op"]](request)))
