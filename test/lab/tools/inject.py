"""Sends forged UDP datagrams. Each is a line of JSON on standard input, and is answered by a line of JSON.

In:  {"interface", "src", "sport", "dst", "dport", "hex", "dstMac"?, "srcMac"?, "ttl"?, "count"?}
Out: {"sent": count} or {"error": "..."}

The script builds the frames itself and sends them through a packet socket, so any source address is possible.
"""

import ipaddress
import json
import socket
import struct
import sys

UDP = 17


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(source, target, sport, dport, payload):
    length = 8 + len(payload)
    pseudo = source.packed + target.packed + struct.pack("!IHBB", length, 0, 0, UDP)
    if source.version == 4:
        pseudo = source.packed + target.packed + struct.pack("!BBH", 0, UDP, length)
    header = struct.pack("!HHHH", sport, dport, length, 0)
    # A checksum of 0 means "none". 0xFFFF is the same number in one's complement.
    total = checksum(pseudo + header + payload) or 0xFFFF
    return struct.pack("!HHHH", sport, dport, length, total) + payload


def target_mac(target):
    """The MAC address for a destination: derived from a multicast address, otherwise broadcast."""
    if target.is_multicast and target.version == 4:
        low = int(target) & 0x7FFFFF
        return b"\x01\x00\x5e" + low.to_bytes(3, "big")
    if target.is_multicast:
        return b"\x33\x33" + target.packed[12:]
    return b"\xff" * 6


def frame(request, own_mac):
    source, target = ipaddress.ip_address(request["src"]), ipaddress.ip_address(request["dst"])
    if source.version != target.version:
        raise ValueError(f"{source} and {target} are of different families")
    ttl = request.get("ttl", 1)
    body = udp(source, target, request["sport"], request["dport"], bytes.fromhex(request["hex"]))
    if source.version == 4:
        ethertype = 0x0800
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, ttl, UDP, 0)
        header += source.packed + target.packed
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    else:
        ethertype = 0x86DD
        header = struct.pack("!IHBB", 6 << 28, len(body), UDP, ttl) + source.packed + target.packed
    to = bytes.fromhex(request["dstMac"].replace(":", "")) if "dstMac" in request else target_mac(target)
    by = bytes.fromhex(request["srcMac"].replace(":", "")) if "srcMac" in request else own_mac
    return to + by + struct.pack("!H", ethertype) + header + body


def main():
    sockets = {}
    for line in sys.stdin:
        try:
            request = json.loads(line)
            name = request["interface"]
            if name not in sockets:
                sockets[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                sockets[name].bind((name, 0))
            raw = frame(request, sockets[name].getsockname()[4])
            count = request.get("count", 1)
            for _ in range(count):
                sockets[name].send(raw)
            answer = {"sent": count}
        except (OSError, ValueError, KeyError, struct.error) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
