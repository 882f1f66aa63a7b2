#!/bin/sh
# Offers a service as long as this runs, and prints what happens on the network: one line of JSON for each event.
#   earshot.sh NAME TYPE PORT        for example: earshot.sh Shop http 8080
# Needs curl. See docs/HTTP-API.md.
set -eu
[ $# -eq 3 ] || { sed -n '2,4s/^# *//p' "$0" >&2 && exit 2; }
socket=${EARSHOT_SOCKET:-/run/earshot/control.sock}
service=http://localhost/v1/services/example-$$
name=$(printf %s "$1" | sed 's/[\\"]/\\&/g')
offer="{ \"name\": \"$name\", \"type\": \"$2\", \"port\": $3, \"ttl\": \"10s\" }"
tmp=$(mktemp -d)
reader=

publish() {
	curl -sS --fail-with-body --unix-socket "$socket" -o "$tmp/answer" \
		-X PUT -H 'content-type: application/json' -d "$offer" "$service"
}

# The present state, then changes, until the daemon ends.
read_events() {
	sed -un 's/^data: //p' <"$tmp/events" &
	curl -sN --unix-socket "$socket" 'http://localhost/v1/events?state=1' >"$tmp/events" &
	reader=$!
}

stop() {
	[ -z "$reader" ] || kill "$reader" 2>/dev/null || :
	curl -s --unix-socket "$socket" -X DELETE "$service" || :
	rm -r "$tmp"
}
trap stop EXIT
trap 'exit 0' INT TERM

publish || { cat "$tmp/answer" >&2 && exit 1; }
mkfifo "$tmp/events"
read_events
# Put again within its ttl the service stays published; so it comes back with a daemon that was restarted, too.
while sleep 1 & wait $!; do
	publish 2>/dev/null || :
	kill -0 "$reader" 2>/dev/null || read_events
done
