#!/usr/bin/env python3
"""The Earshot Beacon Protocol (docs/PROTOCOL.md) in one file, for Python 3.9, Linux and the `openssl` command (3.0):
    beacon.py listen [--interface eth0] [--seconds N]
    beacon.py announce NAME [--interface eth0] [--seconds N] [--service _http._tcp:8080] ...
It lacks what a daemon needs under attack: budgets for signatures, hashes and answers, bounds on memory."""
import argparse, base64, fcntl, hashlib, json, os, random, re, select, signal, socket, struct, subprocess, sys, tempfile
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from time import monotonic, sleep, time

PORT, GROUP4, GROUP6, REUSE = 15353, '239.255.153.53', 'ff12::153:53', (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
HEADER = struct.Struct('>2sBBBBH16sII')  # magic, version, type, path, flags, reserved, id, incarnation, sequence
BEAT, RECORD, QUERY, BYE, PROBE = 1, 2, 3, 4, 5
BEAT_BODY, RECORD_PREFIX, PROBE_BODY = struct.Struct('>IIII16s'), struct.Struct('>BBHI'), struct.Struct('>I16s')
PART, MOST_PARTS, SEAL, MOST_RECORD, CHAIN = 1160, 15, 96, 16384, 1024
PRIVATE_DER, PUBLIC_DER = bytes.fromhex('302e020100300506032b657004220420'), bytes.fromhex('302a300506032b6570032100')

class Refused(Exception): """Why a datagram or a record is refused."""
# Ids, hashes, signatures
def base32(id): return base64.b32encode(id).decode().rstrip('=').lower()
def b64(digest): return base64.urlsafe_b64encode(digest).decode().rstrip('=')
def unb64(text): return base64.urlsafe_b64decode(text + '==')
def u32(number): return struct.pack('>I', number)
def digest(*parts): return hashlib.sha256(b''.join(parts)).digest()[:16]
def goodbye(id, incarnation, secret): return digest(b'earshot bye v1\0', id, u32(incarnation), secret)
def signed(id, incarnation, version, text): return b'earshot record v1\0' + id + u32(incarnation) + u32(version) + text
def before(id, incarnation, position, value):  # chain value `position - 1`, from the one at `position`
    return digest(b'earshot beat v1\0', id, u32(incarnation), u32(position), value)
def follows(id, incarnation, known, new):  # whether `new` is in the chain of `known`, and not before it
    (start, expected), (sequence, value) = known, new
    for position in range(sequence, start, -1): value = before(id, incarnation, position, value)
    return sequence >= start and value == expected
def make_chain(id, incarnation, base, seed, length=CHAIN):  # {sequence: value}; the record publishes the first value
    chain = {base + length: seed}
    for at in range(base + length, base, -1): chain[at - 1] = before(id, incarnation, at, chain[at])
    return chain
def openssl(command, **files):
    with tempfile.TemporaryDirectory() as folder:  # mode 0700: no other user can read the key
        for name, content in files.items(): Path(folder, name).write_bytes(content)
        return subprocess.run(['openssl', *command.split()], cwd=folder, capture_output=True)
def public_key_of(seed):
    return openssl('pkey -inform DER -in key -pubout -outform DER', key=PRIVATE_DER + seed).stdout[-32:]
def sign(seed, text):
    return openssl('pkeyutl -sign -rawin -keyform DER -inkey key -in text', key=PRIVATE_DER + seed, text=text).stdout
def verify(public_key, text, signature):
    return openssl('pkeyutl -verify -pubin -rawin -keyform DER -inkey key -in text -sigfile signature',
                   key=PUBLIC_DER + public_key, text=text, signature=signature).returncode == 0
# Datagrams
def encode(type, id, incarnation, sequence, body, path=0):
    return HEADER.pack(b'ES', 1, type, path, 0, 0, id, incarnation, sequence) + body
def decode(data):  # (type, path, id, incarnation, sequence, body): well-formed, and not yet proven
    if len(data) < 32: raise Refused('too-short')
    magic, version, type, path, _, _, id, incarnation, sequence = HEADER.unpack_from(data)
    if magic != b'ES': raise Refused('not-earshot')
    if len(data) > 1200: raise Refused('too-long')
    if version != 1: raise Refused('unknown-version')
    if not BEAT <= type <= PROBE: raise Refused('unknown-type')
    if path > 3: raise Refused('unknown-path')
    body = data[32:]
    least, most = {BEAT: (32, 32), RECORD: (8, 1168), QUERY: (4, 4 + 64 * 16), BYE: (16, 16), PROBE: (20, 20)}[type]
    if len(body) < least or type == QUERY and len(body) % 16 != 4: raise Refused('too-short')
    if len(body) > most: raise Refused('too-long')
    if type == RECORD:
        part, parts, size = body[0], body[1], len(body) - 8
        least = PART if part < parts - 1 else SEAL + 2 if parts == 1 else 1  # all but the last are full
        if not (part < parts <= MOST_PARTS and size >= least): raise Refused('bad-part')
    return type, path, id, incarnation, sequence, body
def split(joined, version):  # the bodies of the RECORD datagrams that carry key, signature and record
    pieces = [joined[at:at + PART] for at in range(0, len(joined), PART)]
    return [RECORD_PREFIX.pack(part, len(pieces), 0, version) + piece for part, piece in enumerate(pieces)]
# Each function makes a check of a member of a record. Unknown members are allowed.
def text(pattern): return lambda v: isinstance(v, str) and re.fullmatch(pattern, v, re.S)
def number(v): return type(v) in (int, float) and abs(v) < 2**1024
def whole(least, most): return lambda v: number(v) and least <= v <= most and v == int(v)
def listed(most, check): return lambda v: isinstance(v, list) and len(v) <= most and all(map(check, v))
def keyed(check): return lambda v: isinstance(v, dict) and all(KEY(key) and check(v[key]) for key in v)
def shape(**members): return lambda v: isinstance(v, dict) and all(m in v and members[m](v[m]) for m in members)
VISIBLE, TEXT = r'[^\0-\x1f\x7f-\x9f\ud800-\udfff]', text(r'[^\ud800-\udfff]{0,1024}')  # no half surrogate pairs
KEY, DIGEST = text('(?!__proto__$)[!-~]{1,64}'), text('[A-Za-z0-9_-]{22}')
SERVICE = shape(
    id=text('[!-~]{1,64}'), name=text(VISIBLE + '{1,63}'), type=text(r'_[A-Za-z0-9-]{1,15}\._(tcp|udp)'),
    port=whole(0, 65535), txt=keyed(TEXT), subtypes=listed(16, text(VISIBLE + '{1,63}')))
is_record = shape(
    name=text(VISIBLE + '{1,63}'), hostname=text(VISIBLE + '{0,255}'), version=text(VISIBLE + '{0,64}'),
    addresses=listed(32, text('[0-9A-Fa-f:.]{2,45}')), interval=whole(100, 3_600_000), services=listed(256, SERVICE),
    attributes=keyed(lambda v: type(v) is bool or number(v) or TEXT(v)),
    anchor=shape(sequence=whole(0, 2**32 - 1), value=DIGEST), goodbye=DIGEST)
def open_record(id, incarnation, version, joined):  # the record in the joined parts, after all its checks
    key, signature, content = joined[:32], joined[32:SEAL], joined[SEAL:]
    if len(content) > MOST_RECORD: raise Refused('bad-record')
    if digest(key) != id: raise Refused('bad-identity')
    if not verify(key, signed(id, incarnation, version, content), signature): raise Refused('bad-signature')
    bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b'', content, flags=re.S)  # outside strings, brackets are brackets
    if max(accumulate((each in b'[{') - (each in b']}') for each in bare), default=0) > 32: raise Refused('bad-record')
    try: record = json.loads(content.decode(), parse_constant=lambda name: json.loads(''))  # NaN is not JSON
    except ValueError: raise Refused('bad-record')
    if not is_record(record): raise Refused('bad-record')
    return record
class Peer: incarnation, version, link, record, state, line, heard, where = -1, -1, (-1, b''), {}, '', '', 0, None
class Beacon:
    """This peer, and the others it knows. Without a name it only listens."""
    def __init__(self, name, services, paths, addresses):
        self.name, self.services, self.paths, self.addresses, self.interval = name, services, paths, addresses, 1000
        self.seed, self.secret, self.incarnation = os.urandom(32), os.urandom(16), int(time())
        self.key, self.version, self.number, self.agenda, self.beaten = public_key_of(self.seed), 0, 0, [], 0
        self.id, self.peers, self.parts, self.asked, self.queries = digest(self.key), {}, {}, {}, set()
        self.answering = self.renew_chain(0)
        for do in (self.say_record, self.ask) if name else (self.ask,):  # repeated, in case it is lost
            for delay in (0, 0.25, 0.75): self.later(delay * random.uniform(0.5, 1.5), do)
        if name: self.later(0, self.beat_on)
    def renew_chain(self, base):
        self.chain, self.sequence = make_chain(self.id, self.incarnation, base, os.urandom(16)), base
        self.version, self.said = self.version + 1, -9
    def sign_record(self):
        record = json.dumps(dict(
            name=self.name or '-', hostname=''.join(filter(str.isprintable, socket.gethostname())), attributes={},
            addresses=self.addresses, interval=self.interval, services=self.services, version='beacon.py/1',
            anchor={'sequence': self.sequence, 'value': b64(self.chain[self.sequence])},
            goodbye=b64(goodbye(self.id, self.incarnation, self.secret)))).encode()
        content = signed(self.id, self.incarnation, self.version, record)
        self.record = split(self.key + sign(self.seed, content) + record, self.version)
    def later(self, delay, do): self.agenda.append((monotonic() + delay, do))
    def say(self, type, body, to=None):  # `to`: by unicast; to all, or to this machine: on the shared paths
        ways = [(path, speaker, address) for path, speaker, _, address in self.paths]
        if to and to[0] not in self.addresses: ways = [(0, each[1], to) for each in ways if len(each[2]) == len(to)][:1]
        for path, speaker, address in ways:
            with suppress(OSError):  # the interface may be down just now
                speaker.sendto(encode(type, self.id, self.incarnation, self.sequence, body, path), address)
    def say_record(self):
        if monotonic() - self.said > 3: self.sign_record()  # recent anchor; parts on their way stay the same
        self.answering, self.said = False, monotonic()
        for body in self.record: self.say(RECORD, body)
    def ask(self, id=b''):
        if id and monotonic() - self.asked.get(id, -1) < 0.5: return
        self.asked[id] = monotonic()
        self.say(QUERY, u32(random.randrange(1, 2**32)) + id)
    def beat(self, echo=0, to=None):
        last, self.sequence, self.beaten = self.sequence + 2 not in self.chain, self.sequence + 1, monotonic()
        if last: echo, to = 0, None  # to all peers, directly followed by the record with the next chain
        self.number += echo == 0
        numbers = self.version, echo, self.number, int(monotonic() * 1000) % 2**32
        self.say(BEAT, BEAT_BODY.pack(*numbers, self.chain[self.sequence]), to)
        if last: self.renew_chain(self.sequence + 1), self.say_record()
    def beat_on(self): self.later(self.interval / 1000 * random.uniform(0.9, 1.1), self.beat_on), self.beat()
    def tick(self, now):
        due, self.agenda = self.agenda, []
        for at, do in due: do() if at <= now else self.agenda.append((at, do))
        for id, peer in self.peers.items():
            silent = now - peer.heard - 3.5 * peer.record['interval'] / 1000
            if peer.state == 'alive' and silent > 0:
                self.show(id, peer, 'suspect')
                self.say(PROBE, PROBE_BODY.pack(random.randrange(1, 2**32), id), peer.where)
            if peer.state == 'suspect' and silent > 1.2: self.show(id, peer, 'failed')
    def show(self, id, peer, state):
        services = ' '.join(f"{service['type']}:{service['port']}" for service in peer.record['services'])
        line = '\t'.join((base32(id), peer.record['name'], state, services))
        if line != peer.line: print(line, flush=True)
        peer.state, peer.line = state, line
    def hear(self, data, where):
        type, _, id, incarnation, sequence, body = decode(data)
        peer = self.peers.get(id, Peer())
        if id == self.id: return  # an own datagram that came back
        if type == QUERY and self.name and (id, body[:4]) not in self.queries:
            self.queries.add((id, body[:4]))  # it comes on every path
            asked = len(body) == 4 or self.id in (body[at:at + 16] for at in range(4, len(body), 16))
            if asked and not self.answering:  # one answer serves all peers that ask until then
                wait = max(random.uniform(0, min(0.002 * len(self.peers), 1)), self.said + 0.25 - monotonic())
                self.answering = self.later(wait, self.say_record) or True
        elif type == PROBE and self.name and body[4:] == self.id:
            if peer.state == 'alive' and peer.where[0] == where[0]: self.beat(PROBE_BODY.unpack(body)[0], where)
            elif monotonic() - self.beaten > 0.25: self.beat()  # unicast might wait for ARP, or be forged
        elif type == RECORD:
            part, parts, _, version = RECORD_PREFIX.unpack_from(body)
            key = id, incarnation, version, parts, where
            if (incarnation, version) <= (peer.incarnation, peer.version): return
            self.parts.setdefault(key, {})[part] = body[8:]
            if len(self.parts[key]) == parts:
                joined = b''.join(piece for _, piece in sorted(self.parts.pop(key).items()))
                self.learn(id, peer, incarnation, version, open_record(id, incarnation, version, joined), where)
        elif type == BEAT:
            (version, _, _, _, reveal), steps = BEAT_BODY.unpack(body), sequence - peer.link[0]
            if (incarnation, version) > (peer.incarnation, peer.version): self.ask(id)
            if peer.state == 'left' or incarnation != peer.incarnation or not 0 < steps <= CHAIN: return
            if not follows(id, incarnation, peer.link, (sequence, reveal)): raise Refused('bad-reveal')
            peer.link, peer.heard, peer.where = (sequence, reveal), monotonic(), where
            self.show(id, peer, 'alive')
        elif type == BYE and incarnation == peer.incarnation:
            if b64(goodbye(id, incarnation, body)) != peer.record['goodbye']: raise Refused('bad-goodbye')
            self.show(id, peer, 'left')
    def learn(self, id, peer, incarnation, version, record, where):
        is_new = incarnation > peer.incarnation  # only then does a peer return that has left
        if is_new: peer.link, peer.heard, peer.where = (-1, b''), monotonic(), where
        anchor = record['anchor']['sequence'], unb64(record['anchor']['value'])
        if anchor[0] > peer.link[0]: peer.link = anchor
        self.peers[id], peer.incarnation, peer.version, peer.record = peer, incarnation, version, record
        self.show(id, peer, 'alive' if is_new else peer.state)

def udp(address, *options):
    opened = socket.socket(socket.AF_INET6 if ':' in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
    for option in options: opened.setsockopt(*option)
    try: opened.bind(address)
    except OSError: opened.bind((address[0], 0))  # a daemon has the port, and must keep its answers
    opened.setsockopt(*REUSE)  # lets a daemon in that starts later
    return opened
def open_paths(interface):
    """([(path, socket that sends, socket that receives only this path, its address)], own addresses)."""
    paths, addresses, index = [], [], socket.if_nametoindex(interface)
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:  # no IPv4 there is no error
        own, broadcast = (socket.inet_ntoa(fcntl.ioctl(asker, code, struct.pack('256s', interface.encode()))[20:24])
                          for code in (0x8915, 0x8919))  # SIOCGIFADDR, SIOCGIFBRDADDR
        member, ip = struct.pack('4s4si', socket.inet_aton(GROUP4), socket.inet_aton(own), index), socket.IPPROTO_IP
        speaks = udp((own, PORT), (ip, socket.IP_MULTICAST_IF, member), (socket.SOL_SOCKET, socket.SO_BROADCAST, 1),
                     (ip, socket.IP_TTL, 1))  # answers stay on the link
        joined = udp((GROUP4, PORT), REUSE, (ip, 49, 0), (ip, socket.IP_ADD_MEMBERSHIP, member))  # 49: IP_MULTICAST_ALL
        addresses.append(own)
        paths += [(1, speaks, udp((broadcast, PORT), REUSE), (broadcast, PORT)), (2, speaks, joined, (GROUP4, PORT))]
    with suppress(OSError):
        member, ip = struct.pack('@16sI', socket.inet_pton(socket.AF_INET6, GROUP6), index), socket.IPPROTO_IPV6
        speaks = udp(('::', PORT), (ip, socket.IPV6_V6ONLY, 1), (ip, socket.IPV6_UNICAST_HOPS, 1))
        group, known = (GROUP6, PORT, 0, index), [line.split() for line in Path('/proc/net/if_inet6').open()]
        addresses += [socket.inet_ntop(socket.AF_INET6, bytes.fromhex(own[0])) for own in known if own[-1] == interface]
        paths.append((3, speaks, udp(group, REUSE, (ip, socket.IPV6_JOIN_GROUP, member)), group))
    return paths, addresses

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('command', choices=['listen', 'announce'])
    parser.add_argument('name', nargs='?', metavar='NAME')
    parser.add_argument('--interface', default=next((n for _, n in socket.if_nameindex() if n != 'lo'), 'lo'))
    parser.add_argument('--service', action='append', default=[], metavar='TYPE:PORT')
    parser.add_argument('--seconds', type=float, default=float('inf'))
    options = parser.parse_args()
    if (options.command == 'announce') != bool(options.name): parser.error('announce wants a NAME, and listen none')
    services = [dict(id=type, name=options.name, type=type, port=int(port), txt={}, subtypes=[])
                for type, port in (service.rsplit(':', 1) for service in options.service)]
    sys.stdout.reconfigure(errors='backslashreplace')  # JSON can write names that UTF-8 cannot
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    beacon = Beacon(options.name, services, *open_paths(options.interface))
    end, sockets = monotonic() + options.seconds, {each for path in beacon.paths for each in path[1:3]}
    with suppress(KeyboardInterrupt):  # SIGINT or SIGTERM
        while monotonic() < end:
            beacon.tick(monotonic())
            for ready in select.select(sockets, [], [], 0.02)[0]:
                with suppress(Refused, OSError): beacon.hear(*ready.recvfrom(2048))
    for _ in range(3 if options.name else 0):
        beacon.say(BYE, beacon.secret)
        sleep(0.01)

if __name__ == '__main__': main()
