"""Sends and receives with ordinary sockets, for the lab's own tests: udp.py listen ADDRESS… | send COUNT TEXT TARGET…

listen: joins the multicast groups (GROUP%INTERFACE) and prints every datagram to port 15353 as "SENDER TEXT".
send: sends COUNT datagrams "TEXTn-m" (n: number of the target, m: number of the datagram) to each target.
"""

import selectors
import socket
import struct
import sys

PORT = 15353


def listen(groups):
    v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    v4.bind(("", PORT))
    v6.bind(("::", PORT))
    for group in groups:
        if ":" in group:
            address, _, name = group.partition("%")
            request = socket.inet_pton(socket.AF_INET6, address) + struct.pack("@I", socket.if_nametoindex(name))
            v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
        else:
            address, _, name = group.partition("%")
            request = socket.inet_aton(address) + b"\0" * 4 + struct.pack("@i", socket.if_nametoindex(name))
            v4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
    selector = selectors.DefaultSelector()
    for sock in (v4, v6):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        selector.register(sock, selectors.EVENT_READ)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            data, address = key.fileobj.recvfrom(2048)
            print(address[0].partition("%")[0], data.decode(), flush=True)


def send(count, text, targets):
    for index, target in enumerate(targets):
        address, _, name = target.partition("%")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if name:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
        for number in range(count):
            sock.sendto(f"{text}{index}-{number}".encode(), (address, PORT))


if sys.argv[1] == "listen":
    listen(sys.argv[2:])
else:
    send(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
