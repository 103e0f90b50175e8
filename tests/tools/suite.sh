#!/bin/sh
# Runs one suite of tests/run.sh within its time limit, prints its line (and its log where it failed) and leaves PASSED FAILED in $B/check/.
# All suites speak TAP: "ok ..." and "not ok ..." lines. A file may say, in its first 20 lines, `limit: SECONDS` (120) and `build: release`.
set -u
name=$1
B=${B:-build}
here=$(pwd)
work=$B/check
san=$B/san

said() { # said WORD DEFAULT: what the file's head says
	value=$(head -n 20 "$name" 2>/dev/null | sed -nE "s/(^|.*[^a-z])$1: *([a-z0-9]+).*/\\2/p" | head -n 1)
	echo "${value:-$2}"
}

# Which programs the suite is about: the sanitizer build, unless it says release. What is about confinement looks for the release build by its own name.
case $name in lint:*) build=none ;; *) build=$(said build sanitizer) ;; esac
bin=$san
[ "$build" = release ] && bin=$B
case $bin in /*) ;; *) bin=$here/$bin ;; esac
case $B in /*) release=$B ;; *) release=$here/$B ;; esac
RUNG=$bin/rung RUNG_FORKD=$bin/rung-forkd RUNG_RELEASE=$release/rung RUNG_FORKD_RELEASE=$release/rung-forkd
RUNG_BUILD=$bin
RUNG_SHARED=${RUNG_SHARED:-$here/../shared}
export RUNG RUNG_FORKD RUNG_BUILD RUNG_RELEASE RUNG_FORKD_RELEASE RUNG_SHARED
export CMOCKA_MESSAGE_OUTPUT=TAP PYTHONDONTWRITEBYTECODE=1 LC_ALL=C.UTF-8
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
unset RUNG_STATE
# What a suite leaves behind goes with it: each state directory holds a reserve of 64 MiB. Of a suite that failed it stays, to be looked at.
TMPDIR=$(mktemp -d /tmp/rung-suite-XXXXXX)
export TMPDIR

case $name in
tests/unit/*.c) label=${name#tests/} && label=${label%.c} && set -- "$san/test/${label#unit/}" ;;
tests/fuzz/*.c) subject=${name#tests/fuzz/fuzz_} && subject=${subject%.c} && label=fuzz/$subject && set -- "$san/replay/$subject" "tests/fuzz/seeds/$subject" ;;
*.bats) label=${name#tests/} && set -- bats --tap "$name" ;;
*.py) label=${name#tests/} && set -- python3 "$name" ;;
*.sh) label=${name#tests/} && set -- sh "$name" ;;
lint:*) label=lint/${name#lint:} && set -- sh tests/lint.sh "${name#lint:}" ;;
esac
limit=120
[ "$build" = none ] || limit=$(said limit 120)

log=$work/$(echo "$label" | tr / _).log
started=$(date +%s%N)
# timeout(1) makes a process group of its own and ends that group only.
timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null
status=$?
tenths=$((($(date +%s%N) - started) / 100000000))

# cmocka says "not ok 3 # SKIP name" of a test that was skipped, the others "ok 3 name # skip why".
skipped=$(grep -ciE '^(not )?ok .*# *skip' "$log")
passed=$(($(grep -cE '^ok( |$)' "$log") - $(grep -ciE '^ok .*# *skip' "$log")))
failed=$(($(grep -cE '^not ok( |$)' "$log") - $(grep -ciE '^not ok .*# *skip' "$log")))
why=
[ "$status" -ne 124 ] && [ "$status" -ne 137 ] || why="ran out of its $limit s"
if [ -n "$why" ] || { [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; }; then
	failed=$((failed + 1))
	why=${why:-"ended with status $status"}
elif [ $((passed + failed + skipped)) -eq 0 ]; then
	failed=1 why="ran no test"
fi

word=ok
[ "$failed" -eq 0 ] || word=FAIL
line=$(printf '%-5s%-36s%5d passed' "$word" "$label" "$passed")
[ "$failed" -eq 0 ] || line="$line, $failed failed"
[ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
line="$line  $((tenths / 10)).$((tenths % 10)) s${why:+  ($why)}"
if [ "$word" = ok ]; then
	rm -rf "$TMPDIR"
	echo "$line"
else
	find "$TMPDIR" -name reserve -size +60M -delete
	rmdir "$TMPDIR" 2>/dev/null || echo "what it left is in $TMPDIR" >>"$log"
	# In one piece, so that two suites do not mix.
	printf '%s\n%s\n' "$line" "$({ grep -aE '^not ok' "$log" | head -n 20 && echo ...; tail -n 60 "$log"; } | sed 's/^/    | /')"
fi
echo "$passed $failed $tenths ${label%%/*}" >"$log.result"
exit 0
