#!/usr/bin/env bats
# Tokens and the service as people and scripts type them.

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	RUNG=${RUNG:-$ROOT/build/rung}
	W=$(mktemp -d "${TMPDIR:-/tmp}/rung-serve-XXXXXX")
	export XDG_STATE_HOME=$W/xdg HOME=$W TZ=UTC
	unset RUNG_STATE NO_COLOR
	mkdir -p "$W/ws/.rung"
	cd "$W/ws"
}

teardown() {
	[ ! -e "$W/ws/.rung/state/engine.pid" ] || kill "$(cat "$W/ws/.rung/state/engine.pid")" 2>/dev/null || true
	rm -rf "$W"
}

@test "a token alone is on standard output" {
	"$RUNG" token create ci --expires 90d >out 2>err
	grep -qxE 'rung_[A-Za-z0-9_-]{43}' out
	[ "$(wc -l <out)" = 1 ]
	grep -q 'shown this once' err
	"$RUNG" token list >list
	grep -qE '^ci +user:[^ ]+ +live +made [0-9-]+ by user:[^ ]+, expires [0-9-]+$' list
	! grep -q "$(cat out)" list
}

@test "a token is revoked by its name, and the name can be had again" {
	"$RUNG" token create ci >/dev/null 2>&1
	run "$RUNG" token create ci
	[ "$status" = 1 ]
	[[ $output == *'there is a token "ci"'* ]]
	[ "$("$RUNG" token revoke ci)" = "revoked: ci counts no more" ]
	"$RUNG" token create ci --for service:bot --json >out 2>/dev/null
	grep -q '"for": *"service:bot"' out
	run "$RUNG" token revoke other
	[ "$status" = 2 ]
}

@test "what is no command of tokens is told how they go" {
	for words in "" "make x" "create" "revoke" "list x" "create a b" "list --for user:x" "create x --expires soon" "create x --for nobody"; do
		# shellcheck disable=SC2086
		run "$RUNG" token $words
		[ "$status" = 2 ] || [ "$status" = 3 ] || { echo "$words: $status $output" && false; }
	done
}

@test "who made and revoked tokens is on record" {
	"$RUNG" token create ci >/dev/null 2>&1
	"$RUNG" token revoke ci
	kill "$(cat .rung/state/engine.pid)"
	while [ -e .rung/state/engine.pid ]; do sleep 0.05; done
	"$RUNG" verify
	[ "$(sqlite3 .rung/state/store.db "SELECT count(*) FROM record WHERE CAST(line AS TEXT) LIKE '%\"k\":\"token.%' AND CAST(line AS TEXT) LIKE '%\"by\":\"user:%'")" = 2 ]
}

@test "a service does not start beside an engine that has the state already, and says so" {
	"$RUNG" token list
	run "$RUNG" serve --listen 127.0.0.1:0
	[ "$status" = 1 ]
	[[ $output == *"the engine cannot start"* ]]
	[[ $output == *lock* || $output == *"another"* ]]
}

@test "the help has the commands and the keys" {
	"$RUNG" help serve | grep -q -- '--tls-cert FILE'
	"$RUNG" help token | grep -q -- '--expires DURATION'
	for key in http.listen http.tls.certificate http.tls.key http.drain http.rate; do "$RUNG" help config | grep -q "$key"; done
}
