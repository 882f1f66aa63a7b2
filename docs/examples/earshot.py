#!/usr/bin/env python3
"""Offers a service while this program runs, and prints peers with a service of this type as they come (+) and go (-):
    earshot.py NAME TYPE PORT        for example: earshot.py Shop http 8080
Python 3.9 and nothing else. See docs/HTTP-API.md."""
import http.client, json, os, signal, socket, sys, tempfile, threading, time
from urllib.parse import urlencode


def places():
    """Possible paths of the daemon's socket: the user's own daemon comes before the system's, as for the command earshot."""
    if os.environ.get('EARSHOT_SOCKET'):
        return [os.environ['EARSHOT_SOCKET']]
    own = os.path.join(tempfile.gettempdir(), f'earshot-{os.getuid()}')
    found = [os.path.join(os.environ['XDG_RUNTIME_DIR'], 'earshot')] if os.environ.get('XDG_RUNTIME_DIR') else []
    # Any user can create this directory in the temporary directory: it counts only if this user owns it.
    found += [own] if os.path.isdir(own) and os.lstat(own).st_uid == os.getuid() else []
    return [os.path.join(place, 'control.sock') for place in [*found, '/run/earshot']]


def connect(timeout):
    """Connects to the first daemon that answers. Raises OSError when none does."""
    for place in places():
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(place)
            return connection
        except OSError:
            connection.close()
    looked = ', '.join(places())
    raise OSError(f'no earshot daemon answers at {looked} (start one: earshotd; one elsewhere: EARSHOT_SOCKET)')


class Connection(http.client.HTTPConnection):
    """HTTP on the daemon's socket."""
    def connect(self):
        self.sock = connect(self.timeout)


def call(method, path, body=None):
    """Returns the parsed answer. Raises OSError when the daemon is away, RuntimeError when it refuses."""
    connection = Connection('localhost', timeout=10)
    try:
        headers = {'content-type': 'application/json'} if body is not None else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise RuntimeError(json.loads(text)['message'])
    return json.loads(text) if text else None


def keep_published(path, service, stopped):
    """Renews the service within its ttl. This also registers it again after a restart of the daemon."""
    while not stopped.wait(1):
        try:
            call('PUT', path, service)
        except (OSError, http.client.HTTPException):
            pass  # The daemon is away: the loop tries again.
        except RuntimeError as error:
            print(error, file=sys.stderr)


def events(**query):
    """The events of the daemon, one connection after the other. Goes on after the last event that had an id."""
    last = ''
    while True:
        # The daemon sends a comment every 15 s: after a longer silence, the connection is lost.
        connection = Connection('localhost', timeout=45)
        try:
            path = '/v1/events?' + urlencode({**query, **({'since': last} if last else {'state': 1})})
            connection.request('GET', path)
            for line in connection.getresponse():
                field, _, value = line.decode().rstrip('\n').partition(': ')
                if field == 'id':
                    last = value
                elif field == 'data':
                    yield json.loads(value)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.2)


def main(name, kind, port):
    path = f'/v1/services/example-{os.getpid()}'
    service = {'name': name, 'type': kind, 'port': int(port), 'ttl': '10s'}
    call('PUT', path, service)
    stopped = threading.Event()
    renewing = threading.Thread(target=keep_published, args=(path, service, stopped), daemon=True)
    renewing.start()

    peers = {}
    try:
        for event in events(service=kind):
            if event['type'] == 'gap':
                peers.clear()  # What was missed is unknown: the present state follows.
            peer = event.get('peer')
            if peer is None or event['type'].startswith('service-'):
                continue
            offers = [each for each in peer['services'] if kind in (each['type'], each['type'].split('.')[0][1:])]
            if peer['state'] in ('failed', 'left') or not offers:
                if peers.pop(peer['id'], None):
                    print('-', peer['name'], flush=True)
            elif peer['id'] not in peers:
                peers[peer['id']] = peer
                print('+', peer['name'], peer['addresses'][0]['address'], offers[0]['port'], flush=True)
    finally:
        stopped.set()
        renewing.join()  # Otherwise it could publish the service again after it was withdrawn.
        call('DELETE', path)


if __name__ == '__main__':
    if len(sys.argv) != 4 or not sys.argv[3].isdecimal():
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        pass
    except (OSError, RuntimeError) as error:
        sys.exit(f'earshot.py: {error}')
