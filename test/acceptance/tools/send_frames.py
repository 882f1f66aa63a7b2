"""Sends prepared Ethernet frames: send_frames.py FILE INTERFACE FRAMES-PER-SECOND.

FILE contains the frames, each with a length prefix (2 bytes, big-endian). Prints the number of sent frames.
"""

import socket
import sys
import time

STEP = 0.005


def frames(data):
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : end]
        at = end


def main():
    name, interface, per_second = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with open(name, "rb") as file:
        data = memoryview(file.read())
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind((interface, 0))
    start = time.monotonic()
    sent = 0
    for frame in frames(data):
        while sent > (time.monotonic() - start) * per_second:
            time.sleep(STEP)
        sender.send(frame)
        sent += 1
    print(sent)


main()
