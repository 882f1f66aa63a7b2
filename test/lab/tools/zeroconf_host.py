"""An mDNS host on python3-zeroconf. Reads commands as lines of JSON, and writes events as lines of JSON.

In:  {"do": "browse", "type"}
     {"do": "publish", "name", "type", "port", "txt", "hostname", "addresses", "hostTtl"?}
     {"do": "update", "name", "type", "txt"}   {"do": "withdraw", "name", "type"}   {"do": "close"}
Out: {"event": "ready"} first
     {"event": "done"} or {"event": "error", "error"} for each command, after its execution
     {"event": "added" | "updated" | "removed", "name", "type"} for each change that the browser reports
     {"event": "resolved", "name", "type", "hostname", "port", "txt", "addresses"} after "added" and "updated"
"""

import asyncio
import json
import sys

from zeroconf import IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

EVENTS = {
    ServiceStateChange.Added: "added",
    ServiceStateChange.Updated: "updated",
    ServiceStateChange.Removed: "removed",
}


def say(event, **what):
    print(json.dumps({"event": event, **what}), flush=True)


def text(value):
    return (value or b"").decode(errors="replace")


class Host:
    def __init__(self):
        self.zeroconf = AsyncZeroconf(ip_version=IPVersion.All)
        self.published = {}
        self.browsers = []
        self.tasks = set()

    async def browse(self, command):
        self.browsers.append(AsyncServiceBrowser(self.zeroconf.zeroconf, command["type"] + ".local.", [self.changed]))

    def changed(self, zeroconf, service_type, name, state_change):
        kind = service_type.removesuffix(".local.")
        instance = name.removesuffix("." + service_type)
        say(EVENTS[state_change], name=instance, type=kind)
        if state_change is not ServiceStateChange.Removed:
            task = asyncio.ensure_future(self.resolve(service_type, name, {"name": instance, "type": kind}))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def resolve(self, service_type, name, what):
        info = AsyncServiceInfo(service_type, name)
        if await info.async_request(self.zeroconf.zeroconf, 3000):
            txt = {text(key): text(value) for key, value in info.properties.items()}
            hostname = info.server.removesuffix(".")
            say("resolved", **what, hostname=hostname, port=info.port, txt=txt, addresses=info.parsed_addresses())

    async def publish(self, command):
        key = (command["name"], command["type"])
        service_type = command["type"] + ".local."
        ttl = {"host_ttl": command["hostTtl"]} if "hostTtl" in command else {}
        self.published[key] = command, lambda txt: AsyncServiceInfo(
            service_type,
            f"{command['name']}.{service_type}",
            command["port"],
            properties=txt,
            server=command["hostname"] + ".",
            parsed_addresses=command["addresses"],
            **ttl,
        )
        await (await self.zeroconf.async_register_service(self.published[key][1](command["txt"])))

    async def update(self, command):
        _, info = self.published[command["name"], command["type"]]
        await (await self.zeroconf.async_update_service(info(command["txt"])))

    async def withdraw(self, command):
        published, info = self.published.pop((command["name"], command["type"]))
        await (await self.zeroconf.async_unregister_service(info(published["txt"])))

    async def close(self, _command):
        await self.zeroconf.async_close()


async def main():
    host = Host()
    await host.zeroconf.zeroconf.async_wait_for_start()
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    say("ready")
    while line := await commands.readline():
        command = json.loads(line)
        try:
            await getattr(host, command["do"])(command)
            say("done")
        except Exception as error:
            say("error", error=f"{type(error).__name__}: {error}")


asyncio.run(main())
