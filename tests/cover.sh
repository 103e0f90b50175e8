#!/bin/sh
# Line coverage of all tests, a line a file, least covered last. Workers cannot write what they counted (they may open no file), and neither can what a
# test kills: sandbox/worker/ and the like are covered better than they look.
#
#   tests/cover.sh          all
#   tests/cover.sh unit     the unit tests only
set -eu
cd "$(dirname "$0")/.."
B=${B:-build}
make --no-print-directory -j"$(nproc)" B="$B" COVER=1 all units >/dev/null
find "$B/cover" -name '*.gcda' -delete
bin=$(cd "$B/cover" && pwd)
export RUNG="$bin/rung" RUNG_FORKD="$bin/rung-forkd" RUNG_BUILD="$bin" RUNG_RELEASE="$bin/rung" RUNG_FORKD_RELEASE="$bin/rung-forkd"

TMPDIR=$(mktemp -d /tmp/rung-cover-XXXXXX)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

run() { # run LOG COMMAND...: a test that fails has covered lines all the same
	log=$B/cover/$(echo "$1" | tr / _).log
	shift
	timeout -k 10 300 "$@" >"$log" 2>&1 </dev/null || echo "failed: $* (see $log)"
}

for f in tests/unit/*/test_*.c; do
	test=${f#tests/unit/} && test=${test%.c}
	run "$test" "$B/cover/test/$test"
done
if [ "${1:-all}" != unit ]; then
	for f in tests/*/test_*.py; do [ ! -e "$f" ] || run "$f" python3 "$f"; done
	for f in tests/*/*.bats; do [ ! -e "$f" ] || run "$f" bats "$f"; done
fi
gcovr --root . --object-directory "$B/cover" --filter 'engine/' --sort-percentage --txt - "$B/cover" 2>/dev/null | sed -E 's/([0-9]+%).*/\1/'
