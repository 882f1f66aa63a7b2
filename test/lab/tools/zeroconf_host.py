"""A host that speaks mDNS through python3-zeroconf: a line of JSON in for each order, lines of JSON out.

In:  {"do": "browse", "type"}
     {"do": "publish", "name", "type", "port", "txt", "hostname", "addresses", "hostTtl"?}
     {"do": "update", "name", "type", "txt"}   {"do": "withdraw", "name", "type"}   {"do": "close"}
Out: {"event": "ready"} first; {"event": "done"} or {"event": "error", "error"} for each order, when its work is done;
     {"event": "added" | "updated" | "removed", "name", "type"} for each change that the browser tells, and for one
     that has not gone {"event": "resolved", "name", "type", "hostname", "port", "txt", "addresses"}.
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

    async def browse(self, order):
        self.browsers.append(AsyncServiceBrowser(self.zeroconf.zeroconf, order["type"] + ".local.", [self.changed]))

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

    async def publish(self, order):
        key = (order["name"], order["type"])
        service_type = order["type"] + ".local."
        ttl = {"host_ttl": order["hostTtl"]} if "hostTtl" in order else {}
        self.published[key] = order, lambda txt: AsyncServiceInfo(
            service_type,
            f"{order['name']}.{service_type}",
            order["port"],
            properties=txt,
            server=order["hostname"] + ".",
            parsed_addresses=order["addresses"],
            **ttl,
        )
        await (await self.zeroconf.async_register_service(self.published[key][1](order["txt"])))

    async def update(self, order):
        _, info = self.published[order["name"], order["type"]]
        await (await self.zeroconf.async_update_service(info(order["txt"])))

    async def withdraw(self, order):
        published, info = self.published.pop((order["name"], order["type"]))
        await (await self.zeroconf.async_unregister_service(info(published["txt"])))

    async def close(self, _order):
        await self.zeroconf.async_close()


async def main():
    host = Host()
    await host.zeroconf.zeroconf.async_wait_for_start()
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    say("ready")
    while line := await orders.readline():
        order = json.loads(line)
        try:
            await getattr(host, order["do"])(order)
            say("done")
        except Exception as error:
            say("error", error=f"{type(error).__name__}: {error}")


asyncio.run(main())
