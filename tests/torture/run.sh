#!/bin/sh
# The long loops. Each is cut into rounds with a seed; a round that passed is written to $B/torture/passed and not run again, so that a run that was
# cut off goes on where it was. A round that fails prints its seed and stops everything. `rm -r build/torture` starts anew.
#
#   tests/torture/run.sh [SEEDS]     SEEDS rounds of 15 kills, of 50 kills around receipts and of 100 jumps of the clock each (default 20: 300 kills, 1,000 kills, 2,000 jumps),
#                                    and the fixed rounds: of policies 1,000,000 pairs, 20,000 power cuts, every call to the disk failed in turn, each failpoint 20 times
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
seeds=${1:-20}
work=$B/torture
mkdir -p "$work"
touch "$work/passed"
make --no-print-directory B="$B" all probes >/dev/null
make --no-print-directory B="$B" SAN=1 units all >/dev/null

# round NAME COMMAND...
round() {
	name=$1
	shift
	if grep -qxF "$name" "$work/passed"; then
		echo "passed before: $name"
		return
	fi
	started=$(date +%s)
	if "$@" >"$work/log" 2>&1; then
		echo "$name" >>"$work/passed"
		echo "passed: $name ($(($(date +%s) - started)) s) $(grep -E '^(# .*(kills|pairs|jumps|places)|[0-9]+ power cuts|[0-9]+ failed calls)' "$work/log" | tail -n 1)"
	else
		cat "$work/log"
		echo "FAILED: $name"
		exit 1
	fi
}

seed=1
while [ "$seed" -le "$seeds" ]; do
	round "kills seed=$seed" env RUNG_BUILD="$B" KILLS=15 SEED="$seed" python3 tests/kill/test_kill.py
	seed=$((seed + 1))
done
seed=1
while [ "$seed" -le "$seeds" ]; do
	round "receipt kills seed=$seed" env RUNG_BUILD="$B" KILLS=50 SEED="$seed" python3 tests/kill/test_receipt_kill.py
	seed=$((seed + 1))
done
seed=1
while [ "$seed" -le 981001 ]; do
	round "simulate seeds=20000 from=$seed" "$B/simulate" "$seed" 20000
	seed=$((seed + 20000))
done
round "flow seeds=1000000" env SEEDS=1000000 "$B/san/test/flow/test_flow"
seed=1
while [ "$seed" -le "$seeds" ]; do
	round "clock seed=$seed" env RUNG_BUILD="$B" JUMPS=100 SEED="$seed" python3 tests/hostile/test_clock.py jumps_and_kills_at_random_moments_lose_nothing_and_make_nothing_twice
	seed=$((seed + 1))
done
round "host" env RUNG_BUILD="$B" RUNG_RELEASE="$PWD/$B/rung" LONG=1 python3 tests/hostile/test_host.py
seed=1
while [ "$seed" -le 20 ]; do
	round "policy pairs=50000 seed=$seed" env RUNG_BUILD="$B" PAIRS=50000 SEED="$seed" python3 tests/policy/test_reference.py
	seed=$((seed + 1))
done
# 20,000 power cuts.
seed=1
while [ "$seed" -le 20 ]; do
	round "power cuts=1000 seed=$seed" env CUTS=1008 SEED="$seed" "$B/san/test/store/test_power"
	seed=$((seed + 1))
done
# Each failpoint 20 times.
seed=1
while [ "$seed" -le 20 ]; do
	round "failpoints seed=$seed" env RUNG_BUILD="$B/san" ANYWHERE=1 SEED="$seed" python3 tests/fail/failpoints.py
	seed=$((seed + 1))
done
# Every call of 12 scenarios, failed in 22 ways.
for scenario in $(seq 0 11); do
	for fault in $(seq 0 21); do
		round "failed calls scenario=$scenario fault=$fault" env STRIDE=1 SEED=1 SCENARIO="$scenario" FAULT="$fault" "$B/san/test/store/test_io_faults"
	done
done
for t in crash verify guard; do
	[ -x "$B/san/test/store/test_$t" ] || continue
	round "store $t" env TORTURE=1 "$B/san/test/store/test_$t"
done
echo "$(wc -l <"$work/passed") rounds passed in all"
