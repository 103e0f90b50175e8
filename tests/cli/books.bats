#!/usr/bin/env bats
# The books that ship: clean for lint, and running as they are on any Debian host.

setup() {
	: "${RUNG:=$PWD/build/rung}"
	export RUNG_STATE=$BATS_TEST_TMPDIR/state XDG_STATE_HOME=$BATS_TEST_TMPDIR/home NO_COLOR=1
}

teardown() {
	[ ! -e "$RUNG_STATE/engine.pid" ] || kill "$(cat "$RUNG_STATE/engine.pid")" 2>/dev/null || true
}

# value EXPRESSION: of the JSON in $output, as Python sees it
value() {
	printf '%s' "$output" | python3 -c 'import json, sys; r = json.load(sys.stdin); steps = {s["id"]: s for s in r.get("steps", [])}; print(eval(sys.argv[1]))' "$1"
}

run_json() { # only what is on standard output
	output=$("$RUNG" run "$@" --auto --allow declared --json 2>"$BATS_TEST_TMPDIR/stderr") && status=0 || status=$?
}

@test "lint finds nothing in any shipped book" {
	for book in runbooks/*.md playbooks/*.md; do
		[ "${book##*/}" != README.md ] || continue
		run "$RUNG" check --strict "$book"
		echo "$book: $output"
		[ "$status" -eq 0 ]
		[[ $output == *"0 errors, 0 warnings, 0 hints"* ]]
	done
}

@test "every step of the shipped books names its effect or is one that must not be repeated" {
	for book in runbooks/*.md playbooks/*.md; do
		[ "${book##*/}" != README.md ] || continue
		output=$("$RUNG" show --stage graph "$book")
		[ "$(value '[s["id"] for s in r["steps"] if s["risk"] == "read" and not s["manual"] and s["effect"] != "read" and s["id"] != "remedy"]')" = "[]" ]
	done
}

@test "the example of runbooks/README.md is a book that lint likes and that runs" {
	awk '/^````markdown$/ { on = 1; next } /^````$/ { on = 0 } on' runbooks/README.md >"$BATS_TEST_TMPDIR/example.md"
	run "$RUNG" check --strict "$BATS_TEST_TMPDIR/example.md"
	echo "$output"
	[[ $output == *"0 errors, 0 warnings, 0 hints"* ]]
	mkdir "$BATS_TEST_TMPDIR/there"
	sed -i 's,`/\[a-z/-\]+`,`/.+`,' "$BATS_TEST_TMPDIR/example.md"
	run_json "$BATS_TEST_TMPDIR/example.md" --param path="$BATS_TEST_TMPDIR/there" --param percent=99
	echo "$output"
	[ "$status" -eq 0 ]
	[ -d "$BATS_TEST_TMPDIR/there/rung-example" ]
}

@test "host health runs by itself and comes to a verdict" {
	run_json runbooks/host-health.md
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(value 'r["state"]')" = succeeded ]
	[ "$(value 'steps["verdict"]["result"]["host"] in ("healthy", "needs attention")')" = True ]
	[ "$(value '{s["state"] for s in r["steps"]} <= {"succeeded", "skipped"}')" = True ]
}

@test "host health runs for an ordinary user" {
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	home=$(mktemp -d /tmp/rung-books-XXXXXX)
	cp runbooks/host-health.md "$home" && chmod 0755 "$home" && install -d -o 65534 "$home/own"
	setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$RUNG" || skip "the build is not where another user can reach it"
	export RUNG_STATE=$home/own/state
	output=$(cd "$home" && XDG_STATE_HOME=$home/own HOME=$home/own setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$RUNG" run host-health.md --auto --allow declared --json 2>"$BATS_TEST_TMPDIR/stderr") && status=0 || status=$?
	cat "$BATS_TEST_TMPDIR/stderr"
	echo "$output"
	kill "$(cat "$RUNG_STATE/engine.pid")" || true
	rm -rf "$home"
	[ "$status" -eq 0 ]
	[ "$(value 'r["state"]')" = succeeded ]
}

@test "host health with strict fails where something needs attention" {
	# A library that is deleted while a process holds it.
	sed 's,/lib\.\*,/rung-held-lib.*,' runbooks/host-health.md >"$BATS_TEST_TMPDIR/strict.md"
	held=$BATS_TEST_TMPDIR/rung-held-lib.so
	library=$(ldconfig -p | sed -nE 's,.*=> (/.*/libm\.so\.6)$,\1,p' | head -n 1)
	[ -n "$library" ] || skip "no library to hold"
	cp "$library" "$held"
	LD_PRELOAD=$held sleep 60 3>&- &
	holder=$!
	until grep -q rung-held-lib "/proc/$holder/maps" 2>/dev/null; do kill -0 "$holder"; done
	rm "$held"
	run_json "$BATS_TEST_TMPDIR/strict.md" --param strict=true --param disk_percent=99 --param load_per_cpu=100
	kill "$holder"
	echo "$output"
	[ "$status" -eq 1 ]
	[ "$(value '"sleep" in steps["restarts"]["result"]["old"]')" = True ]
	[ "$(value 'steps["verdict"]["state"]')" = failed ]
}

@test "disk full passes everything over where the disk is not full" {
	run_json runbooks/disk-full.md --param path=/proc
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(value 'steps["prove"]["state"]')" = succeeded ]
	[ "$(value '{steps[i]["state"] for i in ("big", "offers", "agree", "journal", "packages", "logs")}')" = "{'skipped'}" ]
}

@test "disk full refuses a path that is none, before anything runs" {
	run "$RUNG" run runbooks/disk-full.md --auto --allow declared --param path=/var/../etc
	echo "$output"
	[ "$status" -eq 2 ] || [ "$status" -eq 3 ]
	[[ $output == *path* ]]
}

@test "nothing of a book runs that was not allowed" {
	run "$RUNG" run runbooks/host-health.md --auto
	echo "$output"
	[ "$status" -eq 4 ]
}

@test "service restart says that it needs a unit, and fails plainly without systemd" {
	run "$RUNG" run runbooks/service-restart.md --auto --allow declared
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *unit* ]]
	[ ! -d /run/systemd/system ] || skip "systemd runs here"
	run_json runbooks/service-restart.md --param unit=nginx
	[ "$status" -eq 1 ]
	[[ $(value 'steps["look"]["why"]') == *"systemd does not run here"* ]]
}

@test "the triage names the pattern that was seen most, with its evidence and runbook" {
	mkdir -p "$BATS_TEST_TMPDIR/logs/sub"
	printf 'app: write failed: No space left on device\n%.0s' 1 2 3 >"$BATS_TEST_TMPDIR/logs/app.log"
	printf 'Connection refused\nall is well\n' >"$BATS_TEST_TMPDIR/logs/sub/other.log"
	run_json playbooks/log-pattern-triage.md --param folder="$BATS_TEST_TMPDIR/logs"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(value 'steps["cause"]["result"]["cause"]')" = disk-full ]
	[ "$(value 'steps["cause"]["result"]["count"]')" = 3 ]
	[[ $(value 'steps["cause"]["result"]["next"]') == *runbooks/disk-full.md* ]]
}

@test "the triage says so where nothing is known" {
	mkdir -p "$BATS_TEST_TMPDIR/logs"
	echo "all is well" >"$BATS_TEST_TMPDIR/logs/app.log"
	run_json playbooks/log-pattern-triage.md --param folder="$BATS_TEST_TMPDIR/logs"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(value 'steps["cause"]["result"]["cause"]')" = "none known" ]
	[ "$(value 'steps["cause"]["result"]["lines_read"] > 0')" = True ]
}
