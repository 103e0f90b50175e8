"""A real systemd that is process 1 of namespaces of its own, knows the units of a folder of its own and nothing of the host's; /tmp, /run, /var/lib and the journal are its own too.
A test file runs itself as one of its units."""
import os, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT = ("PATH", "RUNG", "RUNG_FORKD", "RUNG_BUILD", "RUNG_RELEASE", "RUNG_FORKD_RELEASE", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS")

# What process 1 becomes: mounts are private to it; then systemd with our units only.
BEGIN = """set -e
mount --make-rprivate /
mount -t tmpfs none /run
case $HERE in
/tmp/*)
	# A checkout below /tmp is there inside, too, and nothing there can change it.
	mkdir /run/here
	mount --bind "$HERE" /run/here
	mount -o remount,bind,ro /run/here
	;;
esac
mount -t tmpfs -o mode=1777 none /tmp
if [ -d /run/here ]; then
	mkdir -p "$HERE"
	mount --move /run/here "$HERE"
fi
mount -t tmpfs none /etc/systemd
mount -t tmpfs none /var/lib
[ ! -d /sys/fs/cgroup/unified ] || mount -t cgroup2 none /sys/fs/cgroup/unified || true
mkdir -p /run/units /run/lock
cd "$UNITS"
cp -- * /run/units/
exec env -i container=rung SYSTEMD_UNIT_PATH=/run/units PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=rung-tests.service --log-target=null --show-status=no --crash-reboot=no
"""


def is_possible():
    return os.geteuid() == 0 and os.path.exists("/lib/systemd/systemd")


def run_inside(script, units, folder):
    """Runs script --inside as a unit among units ({name: text}); prints what it says and gives its status. folder: of its own, not below /tmp, which is another one inside."""
    result = os.path.join(folder, "result")
    units = dict(units)
    units["rung-tests.service"] = "[Unit]\nDefaultDependencies=no\nSuccessAction=exit-force\nFailureAction=exit-force\n[Service]\nType=oneshot\nWorkingDirectory=%s\n%sExecStart=%s %s --inside %s\nStandardOutput=truncate:%s\nStandardError=inherit\n" % (
        os.getcwd(), "".join('Environment="%s=%s"\n' % (k, v) for k, v in os.environ.items() if k in KEPT), sys.executable, os.path.abspath(script), folder, result)
    os.mkdir(os.path.join(folder, "units"))
    for name, text in units.items():
        with open(os.path.join(folder, "units", name), "w") as f:
            f.write(text)
    p = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--cgroup", "--uts", "sh", "-c", BEGIN], env=dict(os.environ, UNITS=os.path.join(folder, "units"), HERE=os.getcwd()),
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        p.wait(150)
    except subprocess.TimeoutExpired:
        pass
    finally:
        p.kill()
        p.wait()
    text = open(result).read() if os.path.exists(result) else ""
    print(text, end="")
    if "ok " not in text:
        print("not ok - systemd did not come to an end of the tests (exit status %s)" % p.returncode)
        return 1
    return 1 if "not ok" in text else 0
