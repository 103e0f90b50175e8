#!/bin/sh
# Line coverage of the unit tests, a line a file, least covered last.
set -eu
cd "$(dirname "$0")/.."
B=${B:-build}
make --no-print-directory -j"$(nproc)" B="$B" COVER=1 all units >/dev/null
find "$B/cover" -name '*.gcda' -delete
RUNG=$PWD/$B/cover/rung RUNG_FORKD=$PWD/$B/cover/rung-forkd
export RUNG RUNG_FORKD
for f in tests/unit/*/test_*.c; do
	test=${f#tests/unit/} && test=${test%.c}
	timeout -k 10 300 "$B/cover/test/$test" >"$B/cover/$(echo "$test" | tr / _).log" 2>&1 </dev/null || echo "failed: $test (its lines count all the same)"
done
gcovr --root . --object-directory "$B/cover" --filter 'engine/' --sort-percentage --txt - "$B/cover"
