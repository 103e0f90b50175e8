#!/usr/bin/env python3
"""The module systemd against a real systemd: process 1 of namespaces of its own, which knows the units of a folder of its own and nothing else (so none of the
host's, which clean folders and start daemons); /tmp, /run and the journal are its own too. The tests are one of its units. Skipped without root.

limit: 180"""
import os, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from step import Steps, fails
from world import run_tests, same

tests = []
SHOW = "sh systemctl show --no-pager --property=* -- *"
UNITS = {
    "steady.service": "[Unit]\nDescription=A steady one\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1000\n",
    "falls.service": "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 0.3\nRestart=always\nRestartSec=0.1\n",
    "broken.service": "[Unit]\nDescription=A broken one\nDefaultDependencies=no\n[Service]\nExecStart=/bin/false\n",
}


def test(f):
    tests.append(f)
    return f


@test
def a_unit_is_seen_changed_and_seen_again(w):
    u = w.lua_result('return systemd.unit("steady")', SHOW)
    same((u["name"], u["description"], u["load"], u["active"], u.get("pid")), ("steady.service", "A steady one", "loaded", "inactive", None))
    same(w.lua_result('return {is = systemd.is_active("steady")}', SHOW)["is"], False)
    up = w.lua_result('return systemd.start("steady")', SHOW, "sh systemctl start -- *", attributes="risk=change")
    assert up["active"] == "active" and up["pid"] > 1 and len(up["start"]) == 32, up
    again = w.lua_result('return systemd.restart("steady")', SHOW, "sh systemctl restart -- *", attributes="risk=change")
    assert again["active"] == "active" and again["start"] != up["start"], (up, again)
    same(w.lua_result('local up, u = systemd.stays_up("steady", {settle = 1}) return {up = up, start = u.start}', SHOW, "sh sleep *"), {"up": True, "start": again["start"]})
    down = w.lua_result('return systemd.stop("steady")', SHOW, "sh systemctl stop -- *", attributes="risk=change")
    same((down["active"], down["sub"]), ("inactive", "dead"))


@test
def what_falls_over_does_not_stay_up(w):
    w.lua_result('return systemd.start("falls")', SHOW, "sh systemctl start -- *", attributes="risk=change")
    same(w.lua_result('return {up = (systemd.stays_up("falls", {settle = 2}))}', SHOW, "sh sleep *")["up"], False)
    w.lua_result('return systemd.stop("falls")', SHOW, "sh systemctl stop -- *", attributes="risk=change")


@test
def failed_units_are_listed(w):
    same(w.lua_result("return systemd.failed()", "sh systemctl list-units --state=failed --plain --no-legend --no-pager --full"), [])
    subprocess.run(["systemctl", "start", "broken"], check=True, capture_output=True)
    failed = r.deadline(20, "it to fail", lambda: w.lua_result("return systemd.failed()", "sh systemctl list-units --state=failed --plain --no-legend --no-pager --full"), 0.05)
    same([(f["name"], f["active"], f["description"]) for f in failed], [("broken.service", "failed", "A broken one")])
    same(w.lua_result('return systemd.unit("broken")', SHOW)["result"], "exit-code")


@test
def what_is_not_there_and_what_is_no_name(w):
    same(w.lua_result('return systemd.unit("nothing")', SHOW)["load"], "not-found")
    fails(lambda: w.lua_result('return systemd.restart("nothing")', SHOW, "sh systemctl restart -- *"), "there is no unit nothing here")
    for name in ("--now", "a b", "", "x;y"):
        fails(lambda: w.lua_result("return systemd.unit([[%s]])" % name, SHOW), "is no name of a unit")


def inside():
    status = run_tests(tests, world=Steps)
    sys.stdout.flush()
    return status


# What process 1 becomes: mounts are private to it; then systemd with our units only.
BEGIN = """set -e
mount --make-rprivate /
mount -t tmpfs none /run
mount -t tmpfs -o mode=1777 none /tmp
mount -t tmpfs none /etc/systemd
[ ! -d /sys/fs/cgroup/unified ] || mount -t cgroup2 none /sys/fs/cgroup/unified || true
mkdir -p /run/units /run/lock
cd "$UNITS"
cp -- * /run/units/
exec env -i container=rung SYSTEMD_UNIT_PATH=/run/units PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=rung-tests.service --log-target=null --show-status=no --crash-reboot=no
"""


def outside():
    folder = tempfile.mkdtemp(prefix="rung-systemd-", dir="/var/tmp")  # /tmp is another one inside
    result = os.path.join(folder, "result")
    here = os.path.dirname(os.path.abspath(__file__))
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "RUNG", "RUNG_FORKD", "RUNG_BUILD", "RUNG_RELEASE", "RUNG_FORKD_RELEASE", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
    units = dict(UNITS)
    units["rung-tests.service"] = "[Unit]\nDefaultDependencies=no\nSuccessAction=exit-force\nFailureAction=exit-force\n[Service]\nType=oneshot\nWorkingDirectory=%s\n%sExecStart=%s %s --inside\nStandardOutput=truncate:%s\nStandardError=inherit\n" % (
        os.getcwd(), "".join('Environment="%s=%s"\n' % kv for kv in keep.items()), sys.executable, os.path.join(here, "test_systemd.py"), result)
    os.mkdir(os.path.join(folder, "units"))
    for name, text in units.items():
        with open(os.path.join(folder, "units", name), "w") as f:
            f.write(text)
    p = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--cgroup", "--uts", "sh", "-c", BEGIN], env=dict(os.environ, UNITS=os.path.join(folder, "units")),
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
    if "# " not in text:
        print("not ok - systemd did not come to an end of the tests (exit status %s)" % p.returncode)
        return 1
    subprocess.run(["rm", "-rf", folder])
    return 0 if ", 0 failed" in text else 1


if __name__ == "__main__":
    if "--inside" in sys.argv:
        sys.argv.remove("--inside")
        sys.exit(inside())
    if os.geteuid() != 0 or not os.path.exists("/lib/systemd/systemd"):
        print("ok - nothing to do # skip it takes root and systemd")
        sys.exit(0)
    sys.exit(outside())
