#!/bin/sh
# Builds every fuzz target with clang, AddressSanitizer and UBSan, and runs each for SECONDS_EACH seconds from its seeds. New inputs are kept in
# $B/fuzz/corpus/, inputs that fail in $B/fuzz/found/.
#
#   tests/fuzz/run.sh             all targets
#   tests/fuzz/run.sh document    some
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
SECONDS_EACH=${SECONDS_EACH:-60}
JOBS=${JOBS:-$(nproc)}
make --no-print-directory -j"$JOBS" B="$B" FUZZ=1 fuzzers

[ $# -gt 0 ] || set -- $(for f in tests/fuzz/fuzz_*.c; do basename "$f" .c | sed 's/^fuzz_//'; done)
failed=0
for subject in "$@"; do
	corpus=$B/fuzz/corpus/$subject found=$B/fuzz/found
	mkdir -p "$corpus" "$found"
	seeds=tests/fuzz/seeds/$subject
	[ -d "$seeds" ] || seeds=
	log=$B/fuzz/$subject.log
	# shellcheck disable=SC2086
	if "$B/fuzz/target/$subject" -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
		-artifact_prefix="$found/$subject-" "$corpus" $seeds >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		printf 'ok    %-16s %10s runs\n' "$subject" "${runs:-?}"
	else
		failed=$((failed + 1))
		printf 'FAIL  %-16s see %s and %s/\n' "$subject" "$log" "$found"
		grep -aE 'ERROR|SUMMARY|runtime error|Test unit written' "$log" | head -n 5
	fi
done
[ "$failed" -eq 0 ]
