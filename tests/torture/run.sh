#!/bin/sh
# The long loops. Each is cut into rounds with a seed; a round that passed is written to $B/torture/passed with what it counted, and not run again, so that a run
# that was cut off goes on where it was, and runs beside each other share the rounds. A round that fails prints its seed, keeps its log and stops its run.
# Each run ends with the totals of all so far. `rm -r build/torture` starts anew.
#
#   tests/torture/run.sh [ROUNDS [AREA...]]     at most ROUNDS rounds of each area (0 or nothing: all); of these areas only (the functions below)
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
rounds=${1:-0}
[ $# -eq 0 ] || shift
work=$B/torture
mkdir -p "$work/locks"
touch "$work/passed"
tab=$(printf '\t')
make --no-print-directory B="$B" all probes >/dev/null
make --no-print-directory B="$B" SAN=1 units all >/dev/null
# What the rounds count, and what the whole shall come to.
goals="20000 kills
$((20 * $("$B/san/rung" failpoints | wc -l))) failpoints
20000 power cuts
12 I/O scenarios
1000000 simulation seeds
1000000 flow seeds
1000000 policy pairs
2000 clock jumps"

# totals: what all rounds that passed count together
totals() {
	echo "$goals" | while read -r goal what; do
		awk -F '\t' -v what="$what" -v goal="$goal" '{ at = index($2, " "); if (substr($2, at + 1) == what) n += substr($2, 1, at - 1) }
			END { printf "  %9d of %d %s\n", n, goal, what }' "$work/passed"
	done
	awk -F '\t' '{ at = index($2, " "); if (substr($2, at + 1) == "failed calls") n += substr($2, 1, at - 1) } END { printf "  %9d failed I/O calls\n", n }' "$work/passed"
	echo "$(wc -l <"$work/passed") rounds passed in all"
}

# round NAME WHAT COMMAND...: WHAT is "N things", or "things" where the command says "N things" itself
round() {
	name=$1 what=$2
	shift 2
	exec 9>"$work/locks/$(echo "$name" | tr ' ' _)"
	flock -n 9 || return 0
	if grep -qF "$name$tab" "$work/passed"; then return; fi
	started=$(date +%s)
	log=$work/log.$$
	if "$@" >"$log" 2>&1 9>&-; then
		case $what in [0-9]*) count=$what ;; *) count="$(sed -nE "s/^[^0-9]*([0-9]+) $what.*/\\1/p" "$log" | tail -n 1) $what" ;; esac
		printf '%s\t%s\n' "$name" "$count" >>"$work/passed"
		echo "passed: $name: $count ($(($(date +%s) - started)) s)"
	else
		cat "$log"
		mv "$log" "$work/failed.$$"
		echo "FAILED: $name (its log is $work/failed.$$)"
		totals
		exit 1
	fi
}

# seeds N: the seeds of an area with N rounds
seeds() { if [ "$rounds" -gt 0 ] && [ "$rounds" -lt "$1" ]; then seq "$rounds"; else seq "$1"; fi; }

# What a process that was killed has written is in the page cache, on a disk or not: such rounds need not wait for a disk, and every fifth does.
shm=${TMPDIR:-/tmp}
[ ! -w /dev/shm ] || shm=$(mktemp -d /dev/shm/rung-torture-XXXXXX)
trap '[ "$shm" = "${TMPDIR:-/tmp}" ] || rmdir "$shm" 2>/dev/null || true' EXIT

kills() { # every fourth round with sanitizers, every fifth in one long log
	for seed in $(seeds 160); do
		build=$B log=20 place=$shm
		[ $((seed % 4)) -ne 0 ] || build=$B/san
		[ $((seed % 5)) -ne 0 ] || log=100 place=${TMPDIR:-/tmp}
		round "kills=100 seed=$seed" kills env TMPDIR="$place" RUNG_BUILD="$build" KILLS=100 KILLS_A_LOG="$log" SEED="$seed" python3 tests/kill/test_kill.py
	done
}
memory() { # each allocation of a worker and of what the engine reads, failed once and for good
	for scenario in $(seq 0 10); do
		round "worker's memory scenario=$scenario" "failed allocations" env STRIDE=1 SCENARIO="$scenario" "$B/san/test/sandbox/test_starved_worker"
	done
	for scenario in $(seq 0 9); do
		round "parsers' memory scenario=$scenario" "failed allocations" env STRIDE=1 SCENARIO="$scenario" "$B/san/test/sandbox/test_starved_parsers"
	done
}
order() { # the engine dies at each outcome of an execution in turn
	for seed in $(seeds 20); do
		round "order of delivery seed=$seed" executions env RUNG_BUILD="$B/san" EVERY=1 SEED="$seed" python3 tests/kill/test_order.py
	done
}
children() {
	for seed in $(seeds 40); do
		round "children seed=$seed" "12 families" env TMPDIR="$shm" RUNG_BUILD="$B/san" ROUNDS=12 KILLS=10 SEED="$seed" python3 tests/kill/test_children_kill.py
	done
}
receipts() {
	for seed in $(seeds 40); do
		round "receipt kills=100 seed=$seed" kills env TMPDIR="$shm" RUNG_BUILD="$B" KILLS=100 SEED="$seed" python3 tests/kill/test_receipt_kill.py
	done
}
failpoints() {
	for seed in $(seeds 20); do
		round "failpoints seed=$seed" failpoints env TMPDIR="$shm" RUNG_BUILD="$B/san" ANYWHERE=1 SEED="$seed" python3 tests/fail/test_failpoints.py
	done
}
refusals() { # a disk that is full for a moment, at each group of records in turn
	for scenario in $(sed -n '/^@scenario$/{n;s/^def \([a-z_]*\).*/\1/p;}' tests/fail/test_failpoints.py); do
		round "refused groups scenario=$scenario" "failpoints happened" env TMPDIR="$shm" RUNG_BUILD="$B/san" EVERY=1 PLACES=store.full ACTIONS=fail ONLY="$scenario" \
			python3 tests/fail/test_failpoints.py
	done
}
cuts() {
	for seed in $(seeds 20); do
		round "power cuts=1008 seed=$seed" "power cuts" env CUTS=1008 SEED="$seed" "$B/san/test/store/test_power"
	done
}
disk() { # every call of 12 scenarios, failed in 22 ways
	for scenario in $(seq 0 11); do
		for fault in $(seq 0 21); do
			round "failed calls scenario=$scenario fault=$fault" "failed calls" env STRIDE=1 SEED=1 SCENARIO="$scenario" FAULT="$fault" "$B/san/test/store/test_io_faults"
		done
		round "failed calls scenario=$scenario whole" "1 I/O scenarios" true
	done
}
simulate() {
	for n in $(seeds 50); do
		round "simulate seeds=20000 from=$((n * 20000 - 19999))" "20000 simulation seeds" "$B/simulate" $((n * 20000 - 19999)) 20000
	done
}
escalation() {
	for n in $(seeds 50); do
		round "escalation seeds=20000 from=$((n * 20000 - 19999))" "20000 escalation seeds" "$B/simulate" escalation $((n * 20000 - 19999)) 20000
	done
}
incident() {
	for n in $(seeds 50); do
		round "incident seeds=20000 from=$((n * 20000 - 19999))" "20000 incident seeds" "$B/simulate" incident $((n * 20000 - 19999)) 20000
	done
}
flow() { round "flow seeds=1000000" "1000000 flow seeds" env SEEDS=1000000 "$B/san/test/flow/test_flow"; }
policy() {
	for seed in $(seeds 20); do
		round "policy pairs=50000 seed=$seed" "50000 policy pairs" env RUNG_BUILD="$B" PAIRS=50000 SEED="$seed" python3 tests/policy/test_reference.py
	done
}
escalations() { round "escalations killed at each place" "1 escalations" env RUNG_BUILD="$B/san" EVERY=1 python3 tests/escalate/test_escalate.py; }
clock() {
	for seed in $(seeds 20); do
		round "clock jumps=100 seed=$seed" "100 clock jumps" env RUNG_BUILD="$B" JUMPS=100 SEED="$seed" python3 tests/hostile/test_clock.py jumps_and_kills_at_random_moments_lose_nothing_and_make_nothing_twice
	done
}
host() { round "host" "1 hosts" env RUNG_BUILD="$B" RUNG_RELEASE="$PWD/$B/rung" LONG=1 python3 tests/hostile/test_host.py; }
stores() {
	for t in crash verify guard; do
		round "store $t" "1 stores" env TORTURE=1 "$B/san/test/store/test_$t"
	done
}

ssh() {
	for seed in $(seeds 5); do
		round "ssh cuts=40 seed=$seed" "40 cut connections" env RUNG_BUILD="$B" CUTS=40 SEED="$seed" python3 tests/ssh/test_receipt.py test_connections_cut_at_random
	done
}

[ $# -gt 0 ] || set -- stores flow policy host clock simulate escalation incident cuts disk kills order children receipts ssh memory failpoints refusals escalations
for area in "$@"; do
	$area
done
totals
