#!/usr/bin/env python3
"""The module systemd against a real systemd: process 1 of namespaces of its own, which knows the units of a folder of its own and nothing else (so none of the
host's, which clean folders and start daemons); /tmp, /run and the journal are its own too. The tests are one of its units. Skipped without root.

limit: 180"""
import os, shutil, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
import systemd
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


def outside():
    folder = tempfile.mkdtemp(prefix="rung-systemd-", dir="/var/tmp")  # /tmp is another one inside
    status = systemd.run_inside(__file__, UNITS, folder)
    if status == 0:
        shutil.rmtree(folder)
    return status


if __name__ == "__main__":
    if "--inside" in sys.argv:
        del sys.argv[1:]
        sys.exit(inside())
    if not systemd.is_possible():
        print("ok - nothing to do # skip it takes root and systemd")
        sys.exit(0)
    sys.exit(outside())
