#!/bin/sh
# Runs every suite of tests: builds, finds them, runs two at a time, prints one line a suite and the totals. See tests/README.md.
#
#   tests/run.sh            all
#   tests/run.sh WORD...    the suites whose names hold one of the words
set -eu
cd "$(dirname "$0")/.."
B=${B:-build}
JOBS=${JOBS:-$(nproc)}
export B

work=$B/check
rm -rf "$work"
mkdir -p "$work"

build() {
	echo "building: make $*"
	if ! make --no-print-directory -j"$JOBS" B="$B" "$@" >"$work/build.log" 2>&1; then
		tail -n 60 "$work/build.log"
		echo "the build failed: make $*"
		echo
		echo "0 passed, 1 failed"
		exit 1
	fi
}
build all variants probes
build SAN=1 all units replays probes

# One name a line: what tests/tools/suite.sh runs. The long ones come first, so that they do not end alone.
suites() {
	for f in tests/*/test_*.py tests/*/test_*.sh tests/*/*.bats; do [ ! -e "$f" ] || echo "$f"; done
	for f in tests/unit/*/test_*.c tests/fuzz/fuzz_*.c; do [ ! -e "$f" ] || echo "$f"; done
	for part in layers names docs scripts; do echo "lint:$part"; done
}

wanted() {
	[ $# -gt 0 ] || { cat; return; }
	while read -r name; do
		for word in "$@"; do
			case $name in *"$word"*) echo "$name" && break ;; esac
		done
	done
}

suites | wanted "$@" >"$work/suites"
echo "running $(wc -l <"$work/suites") suites"
started=$(date +%s)
# A failing suite must not keep xargs from the others: suite.sh always ends with 0.
xargs -P "$JOBS" -n 1 sh tests/tools/suite.sh <"$work/suites"

passed=0 failed=0
for result in "$work"/*.result; do
	[ -e "$result" ] || continue
	read -r p f _ <"$result"
	passed=$((passed + p)) failed=$((failed + f))
done
# A suite that left no result was lost on the way: that is a failure, not silence.
lost=$(($(wc -l <"$work/suites") - $(find "$work" -name '*.result' | wc -l)))
[ "$lost" -eq 0 ] || { echo "$lost suites left no result" && failed=$((failed + lost)); }

# What each area took of its budget (tests/README.md): one that is over is cut down, or moves to `make torture`.
sed -n 's/^| `\([a-z0-9]*\)` | \([0-9]*\) min |.*/\1 \2/p' tests/README.md >"$work/budgets"
echo
cat "$work"/*.result | awk -v budgets="$work/budgets" '
	BEGIN { while ((getline line < budgets) > 0) { split(line, part, " "); budget[part[1]] = part[2] } }
	{ took[$4] += $3 }
	END { for (area in took) printf "  %-8s %4d s of %s min%s\n", area, took[area] / 10, budget[area], (took[area] / 600 > budget[area] ? "  OVER" : "") }' | sort
echo
echo "$(wc -l <"$work/suites") suites in $(($(date +%s) - started)) s; logs of all in $work/"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
