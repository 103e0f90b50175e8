#!/bin/sh
# Installs Debian packages: "build" what building and running need, "demo" what make demo needs as well, "test" what the tests need, "bench" what measurements compare with too. Nothing is done
# where all are there. The daemons among them are not started, now or at the next boot: tests start their own, on loopback, and know nothing of the host's.
set -eu
build="gcc make pkg-config libc6-dev liblua5.4-dev libmd4c-dev libyaml-dev libjansson-dev libpcre2-dev libuv1-dev libsqlite3-dev libssl-dev libseccomp-dev libssh-dev libcurl4-openssl-dev libmicrohttpd-dev zlib1g-dev"
demo="python3 prometheus prometheus-alertmanager prometheus-node-exporter"
tests="clang clang-tidy clang-format libclang-rt-14-dev libcmocka-dev bats tmux sqlite3 git procps gcovr openssh-client openssh-server sudo tcsh iproute2 openssl curl nginx-light postgresql $demo"
bench="ansible pssh clustershell"
case ${1:-build} in
build) want=$build ;;
demo) want="$build $demo" ;;
test) want="$build $tests" ;;
bench) want="$build $tests $bench" ;;
*) echo "usage: packages.sh build|demo|test|bench" >&2 && exit 2 ;;
esac
missing=
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
as=
[ "$(id -u)" = 0 ] || as=sudo
echo "installing:$missing"
# Debian starts a daemon when it is installed unless this program says 101 (deb-systemd-invoke(1p), invoke-rc.d(8)).
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap '$as rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' | $as tee $policy >/dev/null
	$as chmod 0755 $policy
fi
$as apt-get update -qq
$as env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
for p in $missing; do
	case $p in
	openssh-server) unit=ssh.service ;;
	nginx-light) unit=nginx.service ;;
	postgresql | prometheus | prometheus-alertmanager | prometheus-node-exporter) unit=$p.service ;;
	*) continue ;;
	esac
	! command -v systemctl >/dev/null || $as systemctl --quiet disable $unit 2>/dev/null || echo "$p: $unit starts at the next boot"
done
