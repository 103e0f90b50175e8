#!/bin/sh
# Measures the release build: books read a second, output redacted a second beside memcpy, microseconds a decision over 1,000 rules, what starting an attempt costs beside /bin/true, then steps a second beside a shell loop, then a restart with 10,000 open executions, then HTTP requests a second beside curl, then alerts received a second beside Alertmanager, then operations by HTTP a second, then a command on up to 300 hosts beside ansible, pssh, clush and a floor (ssh/bench.py; SSH=no leaves it out). Figures hold for this machine and this run only; the ratios travel.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
layers="$B/lib/book.a $B/lib/base.a"
${CC:-gcc} -O2 -D_GNU_SOURCE -Iengine -o "$B/bench-parse" tests/bench/parse.c $layers $(pkg-config --libs md4c yaml-0.1 jansson libpcre2-8 libcrypto) -lm
shared=${RUNG_SHARED:-../shared}
"$B/bench-parse" tests/fixtures/books/*.md runbooks/*.md playbooks/*.md $(ls "$shared"/fixtures/runbooks/*.md* 2>/dev/null || true)
${CC:-gcc} -O2 -D_GNU_SOURCE -Iengine -o "$B/bench-redact" tests/bench/redact.c "$B/lib/sandbox.a" "$B/lib/base.a" $(pkg-config --libs jansson libcrypto) -lm
"$B/bench-redact"
${CC:-gcc} -O2 -D_GNU_SOURCE -Iengine -o "$B/bench-decide" tests/bench/decide.c "$B/lib/policy.a" "$B/lib/base.a" $(pkg-config --libs yaml-0.1 jansson libcrypto) -lm
"$B/bench-decide"
${CC:-gcc} -O2 -D_GNU_SOURCE -Iengine -o "$B/bench-start" tests/bench/start.c "$B/lib/sandbox.a" "$B/lib/base.a" $(pkg-config --libs yaml-0.1 jansson libcrypto) -lm
"$B/bench-start" "$B/rung-forkd"
RUNG_BUILD="$B" python3 tests/bench/bench.py
RUNG_BUILD="$B" python3 tests/bench/restart.py
RUNG_BUILD="$B" python3 tests/bench/http.py
${CC:-gcc} -O2 -D_GNU_SOURCE -o "$B/bench-post" tests/bench/post.c
RUNG_BUILD="$B" python3 tests/bench/intake.py
RUNG_BUILD="$B" python3 tests/bench/serve.py
[ "${SSH:-yes}" = yes ] || exit 0
${CC:-gcc} -O2 -D_GNU_SOURCE -o "$B/ssh-floor" tests/bench/ssh/floor.c $(pkg-config --libs libssh)
RUNG_BUILD="$B" python3 tests/bench/ssh/bench.py
