"""Prints every UDP datagram to or from a port as a line of JSON: sniff.py PORT [INTERFACE].

It reads complete frames from a packet socket, so it also sees unicast between other hosts, spoofed senders, and
datagrams that a firewall drops later. The first line is {"ready": true}.
"""

import json
import socket
import struct
import sys
import time

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP = 1
PACKET_MR_PROMISC = 1
PACKET_OUTGOING = 4
UDP = 17


def mac(raw):
    return ":".join(f"{byte:02x}" for byte in raw)


def promiscuous(sniffer, name):
    request = struct.pack("IHH8s", socket.if_nametoindex(name), PACKET_MR_PROMISC, 0, b"")
    sniffer.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, request)


def decode(frame):
    """Addresses, ports and payload of the UDP datagram in a frame, or None. Later fragments give None, too."""
    ethertype = struct.unpack_from("!H", frame, 12)[0]
    if ethertype == 0x0800:
        length = (frame[14] & 15) * 4
        fragment = struct.unpack_from("!H", frame, 20)[0]
        if frame[23] != UDP or fragment & 0x1FFF:
            return None
        src, dst = socket.inet_ntop(socket.AF_INET, frame[26:30]), socket.inet_ntop(socket.AF_INET, frame[30:34])
        ttl, start, fragmented = frame[22], 14 + length, bool(fragment & 0x2000)
    elif ethertype == 0x86DD:
        header, start, fragmented = frame[20], 54, False
        if header == 44:
            offset = struct.unpack_from("!H", frame, 56)[0]
            if offset & 0xFFF8:
                return None
            header, start, fragmented = frame[54], 62, bool(offset & 1)
        if header != UDP:
            return None
        src, dst = socket.inet_ntop(socket.AF_INET6, frame[22:38]), socket.inet_ntop(socket.AF_INET6, frame[38:54])
        ttl = frame[21]
    else:
        return None
    sport, dport, size = struct.unpack_from("!HHH", frame, start)
    return {
        "src": src,
        "sport": sport,
        "dst": dst,
        "dport": dport,
        "srcMac": mac(frame[6:12]),
        "dstMac": mac(frame[0:6]),
        "ttl": ttl,
        "fragmented": fragmented,
        "hex": frame[start + 8 : start + size].hex(),
    }


def main():
    port = int(sys.argv[1])
    names = sys.argv[2:] or [name for _, name in socket.if_nameindex() if name != "lo"]
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    if sys.argv[2:]:
        sniffer.bind((names[0], ETH_P_ALL))
    for name in names:
        promiscuous(sniffer, name)
    print(json.dumps({"ready": True}), flush=True)
    while True:
        frame, address = sniffer.recvfrom(65535)
        try:
            datagram = decode(frame)
        except (IndexError, struct.error):
            continue
        if datagram and address[0] != "lo" and port in (datagram["sport"], datagram["dport"]):
            datagram.update(interface=address[0], outgoing=address[2] == PACKET_OUTGOING, time=time.time())
            print(json.dumps(datagram), flush=True)


main()
