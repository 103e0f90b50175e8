#!/usr/bin/env bats
# A journal that is gone or older than what the guard saw is refused, and set aside only with a reason that the new journal begins with.

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	RUNG=${RUNG:-$ROOT/build/rung}
	W=$(mktemp -d /tmp/rung-log-XXXXXX)
	export XDG_STATE_HOME=$W/xdg HOME=$W
	unset RUNG_STATE
	mkdir -p "$W/team/.rung"
	printf '# One\n\n## Steps\n\n1. Say\n\n   ```lua\n   return {}\n   ```\n' >"$W/team/one.md"
	cd "$W/team"
	"$RUNG" run one.md --auto
	end_engine
}

end_engine() {
	p=$(cat .rung/state/engine.pid)
	kill "$p"
	for _ in $(seq 500); do [ -d "/proc/$p" ] || return 0; sleep 0.01; done
	return 1
}

teardown() {
	[ ! -e .rung/state/engine.pid ] || end_engine
	cd /
	rm -rf "$W"
}

@test "a state directory that was deleted is refused, with what to do" {
	rm -r .rung/state
	run "$RUNG" run one.md --auto
	[ "$status" -ne 0 ]
	[[ $output == *"rung init --new-log --reason"* ]]
}

@test "an older copy of the journal is refused" {
	cp -r .rung/state "$W/older"
	"$RUNG" run one.md --auto
	end_engine
	rm -r .rung/state
	cp -r "$W/older" .rung/state
	run "$RUNG" run one.md --auto
	[ "$status" -ne 0 ]
	[[ $output == *"--new-log"* ]]
}

@test "verify: a journal that is gone is exit 7; where no guard is seen it says what it cannot tell" {
	run "$RUNG" verify
	[ "$status" -eq 0 ]
	[[ $output =~ guard\ +[0-9]+\ records\ seen ]]
	run env XDG_STATE_HOME="$W/of-another" "$RUNG" verify
	[ "$status" -eq 0 ]
	[[ $output =~ guard\ +none.*$W/of-another && $output == *"cut off its end"* ]]
	run env XDG_STATE_HOME="$W/of-another" "$RUNG" verify --json
	[[ $output =~ \"guard\":\ *null ]]
	rm -r .rung/state
	run "$RUNG" verify
	[ "$status" -eq 7 ]
	[[ $output == *"its database is gone"* ]]
}

@test "setting a journal aside needs a reason" {
	run "$RUNG" init --new-log
	[ "$status" -eq 2 ]
	[[ $output == *"--reason"* ]]
}

@test "the journal is set aside, never deleted, and the new one names it" {
	run "$RUNG" init --new-log --reason "moved to another host"
	[ "$status" -eq 0 ]
	ls .rung/state/*.aside-* | grep -q store.db
	run "$RUNG" run one.md --auto
	[ "$status" -eq 0 ]
	end_engine
	run "$RUNG" verify
	[ "$status" -eq 0 ]
	sqlite3 .rung/state/store.db "select line from record where seq = 1" | grep -q '"k":"log.continued".*"size":[1-9].*"root":'
}
