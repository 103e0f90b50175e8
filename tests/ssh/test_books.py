#!/usr/bin/env python3
"""The shipped books that reach other hosts, over a fleet of real sshd whose systemctl is a script: each host has one unit, demo, and every start of it an id.

limit: 240
"""
import os, shutil, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from fleet import Fleet
from host import read, run_host_tests
from world import same

SYSTEMCTL = """#!/bin/sh
place=PLACE/$(echo "$SSH_CONNECTION" | cut -d' ' -f3)
mkdir -p "$place"
cd "$place"
[ -e start ] || { echo 1 >start; echo active >state; }
case $1 in
show)
	printf 'Id=demo.service\\nLoadState=%s\\nActiveState=%s\\nSubState=running\\nNRestarts=0\\nInvocationID=%s\\nResult=success\\n' "$(cat load 2>/dev/null || echo loaded)" "$(cat state)" "$(cat start)" ;;
restart)
	echo $(($(cat start) + 1)) >start
	echo active >state
	echo "${place##*/}" >>PLACE/order
	[ ! -e breaks ] || echo failed >state ;;
esac
"""


class Hosts(Fleet):
    """The fleet, with .place: what its hosts keep, a folder for each address."""

    def __init__(self, count):
        self.place = tempfile.mkdtemp(prefix="rung-fleet-")
        os.chmod(self.place, 0o755)
        path = os.path.join(self.place, "systemctl")
        with open(path, "w") as f:
            f.write(SYSTEMCTL.replace("PLACE", self.place))
        os.chmod(path, 0o755)
        super().__init__(count, config="SetEnv PATH=%s:/usr/local/bin:/usr/bin:/bin\n" % self.place)

    def __exit__(self, *more):
        super().__exit__(*more)
        shutil.rmtree(self.place, ignore_errors=True)

    def of_host(self, i, name, text):
        folder = os.path.join(self.place, self.sshd.targets[i].address)
        os.makedirs(folder, exist_ok=True)
        if name == "breaks":
            for kept, value in (("start", "1\n"), ("state", "active\n")):
                with open(os.path.join(folder, kept), "w") as f:
                    f.write(value)
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)

    def starts(self):
        return [int(read(os.path.join(self.place, t.address, "start"))) for t in self.sshd.targets]

    def restarted(self):
        path = os.path.join(self.place, "order")
        return read(path).split() if os.path.exists(path) else []

    def book(self, name, **params):
        view = self.over(self.run(shutil.copy(name, self.folder), params=params), 120)
        return view["state"], {s["id"]: s for s in view["steps"]}

    def rolling(self, **more):
        names = [t.name for t in self.sshd.targets]
        return self.book("runbooks/rolling-restart.md", **dict({"unit": "demo", "hosts": names, "login": self.sshd.user, "settle": 1, "agreed": True}, **more))


def test_a_rolling_restart_proves_every_host():
    with Hosts(4) as f:
        state, s = f.rolling()
        same((state, [(k, v["state"], v["why"]) for k, v in s.items() if v["state"] not in ("succeeded", "skipped")]), ("succeeded", []))
        same(f.starts(), [2, 2, 2, 2])
        same(f.restarted()[0], f.sshd.targets[0].address)
        same((s["prove"]["result"]["hosts"], s["tell"]["state"]), (4, "skipped"))


def test_the_first_host_that_does_not_come_back_stops_it():
    with Hosts(3) as f:
        f.of_host(0, "breaks", "")
        state, s = f.rolling()
        same((state, s["canary"]["state"], s["others"]["state"]), ("failed", "failed", "pending"))
        assert "it does not stay up" in s["canary"]["why"] and "t0" in s["canary"]["why"], s["canary"]["why"]
        same(f.restarted(), [f.sshd.targets[0].address])


def test_no_host_begins_after_one_that_did_not_come_back():
    with Hosts(5) as f:
        f.of_host(2, "breaks", "")
        state, s = f.rolling(at_once=1)
        same((state, s["others"]["state"], s["prove"]["state"]), ("failed", "failed", "pending"))
        same(f.restarted(), [t.address for t in f.sshd.targets[:3]])


def test_nothing_is_changed_where_a_host_lacks_the_unit_or_cannot_be_reached():
    with Hosts(2) as f:
        f.of_host(1, "load", "not-found\n")
        state, s = f.rolling()
        assert state == "failed" and "demo is not there on t1" in s["look"]["why"], s["look"]
        f.entries["t1"]["port"] = 1
        f.write_inventory()
        state, s = f.rolling()
        assert state == "failed" and "Connection refused" in s["look"]["why"], s["look"]
        same(f.restarted(), [])


def test_one_host_alone():
    with Hosts(1) as f:
        state, s = f.rolling()
        same((state, s["others"]["state"], f.starts()), ("succeeded", "skipped", [2]))


def cause(f, host, **params):
    state, s = f.book("playbooks/host-unreachable.md", host=host, **params)
    same(state, "succeeded")
    return s["cause"]["result"]


def test_how_far_one_comes_to_a_host():
    with Hosts(1) as f:
        target = f.sshd.targets[0]
        # The playbook goes to a name as it is: one that is an address here.
        f.entries[target.address] = dict(f.entries["t0"])
        f.write_inventory()
        same(cause(f, target.address, ssh_port=target.port, login=f.sshd.user)["cause"], "none")
        f.entries[target.address]["host_keys"] = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
        f.write_inventory()
        same(cause(f, target.address, ssh_port=target.port, login=f.sshd.user)["cause"], "no-login")
        assert cause(f, target.address, ssh_port=1)["cause"] in ("sshd-down", "down")  # the latter where this host may not ping
        same(cause(f, "no-such-host.invalid")["cause"], "no-name")


# What a host says of itself: a file system as full as the test has it with one big file, and three processes that wait for a disk.
THERE = {
    "df": "echo head; echo '/dev/vdb ext4 1000 USED FREE 98% 10 990 /data'",
    "du": "printf '900\\t/data\\n'",
    "find": "[ $1 = /proc ] || echo OLD $1/huge",
    "ps": "for i in 7 8 9; do printf '%d 1 root D 0.5 900 9000 %-32s cp -a /data /backup\\n' $i cp; done",
    "journalctl": "echo it said this last",
}


def there(f, book, used=950, free=None, old=900, **params):
    """The causes that a shipped playbook finds on the host t0, what its last step came to, and which books it led to."""
    for name, text in THERE.items():
        path = os.path.join(f.place, name)
        with open(path, "w") as out:
            out.write("#!/bin/sh\n" + text.replace("USED", str(used)).replace("FREE", str(1000 - used if free is None else free)).replace("OLD", str(old)) + "\n")
        os.chmod(path, 0o755)
    for kind in ("playbooks", "runbooks"):
        shutil.copytree(kind, os.path.join(f.folder, kind), dirs_exist_ok=True)
    x = f.run(os.path.join(f.folder, book), params=dict(params, host="t0"))
    view = f.over(x, 120)
    same(view["state"], "succeeded")
    view = f.view(x)
    remedy = next(s for s in view["steps"] if s["id"] == "remedy")
    return [c["cause"] for c in view["findings"] if c["kind"] == "cause"], (remedy["result"] or {}).get("outcome"), [c["runbook"] for c in view["children"]]


def test_a_unit_that_is_down_on_another_host_is_started_there():
    with Hosts(1) as f:
        f.of_host(0, "start", "1\n")
        f.of_host(0, "state", "failed\n")
        same(there(f, "playbooks/service-down.md", unit="demo", folder="/data"), (["down-there"], "mended", ["runbook runbooks/rolling-restart.md"]))
        same(f.starts(), [2])


def test_room_that_is_kept_for_root_is_no_room():
    with Hosts(1) as f:
        # 10 of 100 are kept, as ext4 keeps some: without the old files it is at 79 % of what others may use, at 71 % of all.
        same(there(f, "playbooks/disk-filling.md", used=880, free=20, old=170, mount="/data", clean=f.place, percent=75), ([], None, []))


def test_what_is_wrong_on_another_host_is_not_mended_on_this_one():
    with Hosts(1) as f:
        same(there(f, "playbooks/disk-filling.md", mount="/data", percent=80), (["one-file-there"], "proposed", []))
        same(there(f, "playbooks/high-load.md"), (["waits-for-disk-there"], "proposed", []))
        f.of_host(0, "start", "1\n")
        f.of_host(0, "state", "failed\n")
        # With no room to write, a start is no help there either.
        same(there(f, "playbooks/service-down.md", used=1000, unit="demo", folder="/data"), (["no-room-there"], "proposed", []))
        same(f.restarted(), [])


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
