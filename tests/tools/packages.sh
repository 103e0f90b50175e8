#!/bin/sh
# Installs Debian packages: "build" what building and running need, "test" what the tests need as well. Nothing is done where all are there.
set -eu
build="gcc make pkg-config libc6-dev liblua5.4-dev libmd4c-dev libyaml-dev libjansson-dev libpcre2-dev libuv1-dev libsqlite3-dev libssl-dev libseccomp-dev"
tests="clang clang-tidy clang-format libclang-rt-14-dev libcmocka-dev bats tmux sqlite3 python3 git procps gcovr"
want=$build
[ "${1:-build}" = build ] || want="$build $tests"
missing=
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
as=
[ "$(id -u)" = 0 ] || as=sudo
echo "installing:$missing"
$as apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as apt-get install -y -qq --no-install-recommends $missing >/dev/null
