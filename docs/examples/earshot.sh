#!/bin/sh
# Offers a service while this script runs, and prints events on the network, one line of JSON each.
#   earshot.sh NAME TYPE PORT        for example: earshot.sh Shop http 8080
# Needs curl. See docs/HTTP-API.md.
set -eu
[ $# -eq 3 ] || { sed -n '2,4s/^# *//p' "$0" >&2 && exit 2; }
case $3 in *[!0-9]* | '') echo "earshot.sh: PORT: expected a number, found '$3'" >&2 && exit 2 ;; esac
service=http://localhost/v1/services/example-$$
name=$(printf %s "$1" | sed 's/[\\"]/\\&/g')
offer="{ \"name\": \"$name\", \"type\": \"$2\", \"port\": $3, \"ttl\": \"10s\" }"
reader=

publish() {
	curl -sS --fail-with-body --unix-socket "$socket" -o "$tmp/answer" \
		-X PUT -H 'content-type: application/json' -d "$offer" "$service"
}

# Prints the current state, then changes, until the daemon stops.
read_events() {
	sed -un 's/^data: //p' <"$tmp/events" &
	curl -sN --unix-socket "$socket" 'http://localhost/v1/events?state=1' >"$tmp/events" &
	reader=$!
}

stop() {
	[ -z "$reader" ] || kill "$reader" 2>/dev/null || :
	curl -s --unix-socket "$socket" -o /dev/null -X DELETE "$service" || :
	rm -r "$tmp"
}
# The user's own daemon comes before the system's, as for the command earshot.
find_socket() {
	for place in ${EARSHOT_SOCKET:+"$EARSHOT_SOCKET"} ${XDG_RUNTIME_DIR:+"$XDG_RUNTIME_DIR/earshot/control.sock"} \
		"${TMPDIR:-/tmp}/earshot-$(id -u)/control.sock" /run/earshot/control.sock; do
		# Any user can create this directory in the temporary directory: it counts only if this user owns it.
		case $place in */earshot-"$(id -u)"/*) [ -O "${place%/*}" ] || continue ;; esac
		if curl -sf --unix-socket "$place" -o /dev/null http://localhost/healthz; then
			socket=$place
			return
		fi
		[ -z "${EARSHOT_SOCKET:-}" ] || break
	done
	echo 'earshot.sh: no earshot daemon answers (start one: earshotd; one elsewhere: EARSHOT_SOCKET)' >&2
	exit 3
}

find_socket
tmp=$(mktemp -d)
trap stop EXIT
trap 'exit 0' INT TERM

publish || { cat "$tmp/answer" >&2 && exit 1; }
mkfifo "$tmp/events"
read_events
# Renews the service within its ttl. This also registers it again after a restart of the daemon.
while sleep 1 & wait $!; do
	publish 2>/dev/null || :
	kill -0 "$reader" 2>/dev/null || read_events
done
