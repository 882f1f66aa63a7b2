"""Checks docs/examples/beacon.py against the test vectors. It is independent of the implementation in src/core/wire."""
import importlib.util
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
PATHS = ['unicast', 'broadcast', 'multicast4', 'multicast6']
TYPES = {'beat': 1, 'record': 2, 'query': 3, 'bye': 4, 'probe': 5}

spec = importlib.util.spec_from_file_location('beacon', HERE.parent.parent.parent / 'docs' / 'examples' / 'beacon.py')
beacon = importlib.util.module_from_spec(spec)
spec.loader.exec_module(beacon)
checked = 0


def vectors(name):
    return json.loads((HERE / 'vectors' / name).read_text(encoding='utf-8'))


def check(what, got, expected):
    global checked
    checked += 1
    if got != expected:
        sys.exit(f'{what}: {got!r} instead of {expected!r}')


def reason(do):
    try:
        do()
    except beacon.Refused as refused:
        return str(refused)
    return 'believed'



def id_bytes(text):
    """The 16 bytes of an id. Also checks that beacon.py encodes them as the same text."""
    value = 0
    for character in text:
        value = value << 5 | 'abcdefghijklmnopqrstuvwxyz234567'.index(character)
    id = (value >> 2).to_bytes(16, 'big')
    check(f'base32 of {text}', beacon.base32(id), text)
    return id


def body_of(message):
    """Encodes the body of a message from its fields."""
    def data(field): return bytes.fromhex(message[field])
    if message['type'] == 'beat':
        numbers = (message[field] for field in ('recordVersion', 'echo', 'number', 'sent'))
        return beacon.BEAT_BODY.pack(*numbers, data('reveal'))
    if message['type'] == 'record':
        prefix = beacon.RECORD_PREFIX.pack(message['part'], message['parts'], 0, message['recordVersion'])
        return prefix + data('bytes')
    if message['type'] == 'query':
        return beacon.u32(message['nonce']) + b''.join(map(id_bytes, message['ids']))
    if message['type'] == 'bye':
        return data('secret')
    return beacon.PROBE_BODY.pack(message['nonce'], id_bytes(message['target']))


def joined(datagrams):
    """Joins the parts of a record: (id, incarnation, version, bytes)."""
    pieces = {}
    for datagram in datagrams:
        type, _, id, incarnation, _, body = beacon.decode(bytes.fromhex(datagram))
        part, parts, _, version = beacon.RECORD_PREFIX.unpack_from(body)
        check('type', type, beacon.RECORD)
        pieces[part] = body[8:]
    check('parts', sorted(pieces), list(range(parts)))
    return id, incarnation, version, b''.join(pieces[part] for part in range(parts))


for entry in vectors('ids.json')['written']:
    check('id', beacon.base32(bytes.fromhex(entry['bytes'])), entry['id'])
for entry in vectors('ids.json')['keys']:
    check('id of a key', beacon.base32(beacon.digest(bytes.fromhex(entry['publicKey']))), entry['id'])

chains = vectors('chains.json')
for entry in chains['chains']:
    seed = bytes.fromhex(entry['seed'])
    chain = beacon.make_chain(id_bytes(entry['id']), entry['incarnation'], entry['base'], seed, entry['length'])
    for link in entry['values']:
        check('chain value', chain[link['sequence']].hex(), link['value'])
for entry in chains['checks']:
    known, new = ((link['sequence'], bytes.fromhex(link['value'])) for link in (entry['known'], entry['next']))
    follows = beacon.follows(id_bytes(entry['id']), entry['incarnation'], known, new)
    check(entry['what'], follows, entry['follows'])

for entry in vectors('goodbyes.json'):
    commitment = beacon.goodbye(id_bytes(entry['id']), entry['incarnation'], bytes.fromhex(entry['secret']))
    check('goodbye', commitment.hex(), entry['commitment'])
    check('goodbye as a record writes it', beacon.b64(commitment), entry['written'])
    check('goodbye as a record writes it', beacon.unb64(entry['written']), commitment)

for entry in vectors('messages.json'):
    message = entry['message']
    header = TYPES[message['type']], PATHS.index(message['path']), id_bytes(message['id'])
    numbers = message['incarnation'], message['sequence']
    body = body_of(message)
    check(entry['what'], beacon.decode(bytes.fromhex(entry['bytes'])), (*header, *numbers, body))
    type, path, id = header
    check(entry['what'], beacon.encode(type, id, *numbers, body, path).hex(), entry['bytes'])

for entry in vectors('refused-datagrams.json'):
    check(entry['what'], reason(lambda: beacon.decode(bytes.fromhex(entry['bytes']))), entry['reason'])

for entry in vectors('records.json'):
    seed, content = bytes.fromhex(entry['privateKey']), entry['json'].encode()
    id, incarnation, version = id_bytes(entry['id']), entry['incarnation'], entry['recordVersion']
    check('public key', beacon.public_key_of(seed).hex(), entry['publicKey'])
    text = beacon.signed(id, incarnation, version, content)
    check('signed bytes', text, bytes.fromhex(entry['signedPrefix']) + content)
    check(entry['what'], beacon.sign(seed, text).hex(), entry['signature'])
    check(entry['what'], joined(entry['datagrams'])[:3], (id, incarnation, version))
    check(entry['what'], beacon.open_record(*joined(entry['datagrams'])), json.loads(entry['json']))
    bodies = beacon.split(joined(entry['datagrams'])[3], version)
    made = [beacon.encode(beacon.RECORD, id, incarnation, 0, body, 2).hex() for body in bodies]
    check(entry['what'], made, entry['datagrams'])

for entry in vectors('refused-records.json'):
    check(entry['what'], reason(lambda: beacon.open_record(*joined(entry['datagrams']))), entry['reason'])

print(f'{checked} checks')
