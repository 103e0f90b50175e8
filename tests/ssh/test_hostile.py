#!/usr/bin/env python3
"""Hosts that misbehave, at every stage (tools/sshpeer.py): each call comes to an outcome that says what happened, in its time, whatever the hosts beside it do; nothing of it stays.

limit: 200
"""
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from fleet import ALL
from host import RELEASE, Host, run_host_tests
from sshd import keygen
from sshpeer import Peer, every_fault
from world import same

COMMAND = "echo hello; echo problem >&2; exit 5"
SERVED, REACHED_NOT, DENIED, LATE, LOST = "served", "unreachable", "denied", "timeout", "failed"

# What a command that only reads comes to. Before it is sent a host that fails cannot be reached, and behind it the connection is lost, three times over; one that goes silent is late.
BEFORE = ("connect", "banner", "kexinit", "kex", "newkeys", "auth", "channel")
AFTER = ("exec", "running", "output", "status")
ODDITIES = {
    "none": SERVED, "wrong-key": DENIED, "bad-signature": REACHED_NOT, "bad-share": REACHED_NOT, "zero-share": REACHED_NOT, "no-common": REACHED_NOT, "lines-before": SERVED, "lines-endless": REACHED_NOT,
    "banner-endless": REACHED_NOT, "banner-old": REACHED_NOT, "banner-escapes": SERVED, "packet-huge": REACHED_NOT, "packet-empty": (REACHED_NOT, SERVED), "padding-wrong": REACHED_NOT,
    "tag-wrong": REACHED_NOT, "type-unknown": SERVED, "ignore-endless": (LATE, SERVED), "auth-refused": REACHED_NOT, "auth-partial": REACHED_NOT, "auth-banner": SERVED,
    "auth-banners-endless": REACHED_NOT, "channel-refused": REACHED_NOT, "channel-unasked": SERVED, "no-window": SERVED, "small-packets": (SERVED, LATE), "exec-refused": LOST, "exit-signal": SERVED,
    "no-eof": SERVED, "no-status": LOST, "no-close": SERVED, "eof-first": SERVED, "status-twice": SERVED, "output-late": SERVED, "output-endless": LATE, "errors-endless": LATE,
    "window-overrun": LATE, "channel-wrong": LOST, "requests-endless": LATE}


def expected(fault):
    action, _, stage = fault.partition(":")
    if not stage:
        return ODDITIES.get(fault)
    if stage in ("eof", "closed"):
        # A reset takes back what had not been read.
        return (SERVED, LATE) if action == "slow" else (SERVED, LOST, LATE) if action == "reset" else SERVED
    if action in ("hang", "slow"):
        # A channel that does not open: the call's time, or the connection's, which began a little earlier, is up first.
        return (LATE, SERVED) if stage == "status" else (LATE, REACHED_NOT) if stage == "channel" else LATE if stage in AFTER else REACHED_NOT
    if action == "garbage":
        return (LATE, LOST, REACHED_NOT) if stage in ("channel",) + AFTER else REACHED_NOT
    return REACHED_NOT if stage in BEFORE else (LOST, LATE)


class Peers(Host):
    def __init__(self, *faults, build=None, **how):
        self.peer = Peer(*faults, **how)
        self.key = os.path.join(self.peer.folder, "id")
        keygen("-t", "ed25519", "-N", "", "-f", self.key)
        super().__init__("version: 1\nssh: {identities: [%s], known_hosts: [], agent: false}\n" % self.key, build or os.environ.get("RUNG_BUILD", RELEASE))
        self.names = {f.replace(":", "-"): f for f in faults}
        hosts = {name: {"address": t.address, "port": t.port, "login": t.user, "host_keys": [" ".join(t.key.split()[:2])]} for name, t in ((n, self.peer.target(f)) for n, f in self.names.items())}
        with open(os.path.join(self.folder, ".rung", "inventory.yaml"), "w") as f:
            f.write("version: 1\nhosts:\n" + "".join("  %s: %s\n" % (name, json.dumps(e)) for name, e in hosts.items()))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *more):
        super().__exit__(kind, *more)
        self.peer.__exit__(kind, *more)

    def ask(self, lua, seconds=120):
        v = self.over(self.run(self.lua(lua, permissions=ALL)), seconds)
        same((v["state"], v["steps"][0].get("why")), ("succeeded", None))
        return v["steps"][0]["result"]


ASK_ALL = """local names, out = {%s}, {}
each(names, function(name)
    local ok, r = pcall(ssh, name, [[%s]], {effect = "read", timeout = "%s", check = false, stdin = "some input"})
    out[name] = ok and {code = r.code, signal = r.signal, stdout = r.stdout:sub(1, 100)} or {reason = r.reason, why = r.why}
end, {max_concurrency = #names})
return out"""


def floods(fault):
    return "endless" in fault or fault == "window-overrun"


def test_every_fault_at_once():
    all_at_once(["none"] + [f for f in every_fault() if not floods(f)])


def test_hosts_that_never_stop():
    all_at_once(["none", "no-eof"] + [f for f in every_fault() if floods(f)])


def all_at_once(faults):
    with Peers(*faults) as p:
        out = p.ask(ASK_ALL % (", ".join("'%s'" % n for n in p.names), COMMAND, "15s"))
        wrong = []
        for name, fault in p.names.items():
            got, want = out[name], expected(fault)
            how = got.get("reason", SERVED)
            if how not in (want if isinstance(want, tuple) else (want,)):
                wrong.append("%s: %s where %s was expected: %s" % (fault, how, want, json.dumps(got)[:300]))
            if how == SERVED and fault not in ("exit-signal", "status-twice", "no-window") and (got.get("code"), got.get("stdout").replace("late\n", "")) != (5, "hello\n"):
                wrong.append("%s: %s" % (fault, json.dumps(got)[:300]))
            assert "\\u001b" not in json.dumps(got) and "\x1b" not in str(got), got
        assert "its actor ended" not in p.log_tail(), p.log_tail()
        same(wrong, [])
        # The actor is as good as new.
        same(p.ask("return {v = ssh('none', 'exit 3', {ok = 3}).code}"), {"v": 3})


def test_no_descriptor_is_left_of_a_connection_that_ended():
    gone = ("wrong-key", "packet-huge", "auth-refused", "drop:kex", "reset:auth", "garbage:kexinit")
    with Peers("none", *gone) as p:
        x = p.run(p.lua("ssh('none', {'true'}) for i = 1, 5 do for _, name in ipairs{%s} do pcall(ssh, name, {'true'}) end end ssh('none', {'sleep', '30'})" % ", ".join("'%s'" % g.replace(":", "-") for g in gone), permissions=ALL))
        p.step(x, "s0", lambda s: any("sleep" in c["words"] for c in s["calls"]), 60)
        sockets = [os.readlink("/proc/%d/fd/%s" % (p.actor(), n)) for n in os.listdir("/proc/%d/fd" % p.actor())]
        same(sum(s.startswith("socket:") for s in sockets), 2)
        p.client.ask("cancel", execution=x)


def test_a_command_that_was_sent_and_lost_is_in_doubt():
    stages = ("exec", "running", "output")
    with Peers(*["drop:" + s for s in stages], "drop:channel") as p:
        for stage in stages:
            x = p.run(p.lua("ssh('drop-%s', [[%s]])" % (stage, COMMAND), permissions=ALL))
            s = p.step(x, "s0", lambda s: s["state"] in ("unknown", "failed", "succeeded"))
            same((stage, s["state"]), (stage, "unknown"))
            p.client.ask("cancel", execution=x)
        v = p.over(p.run(p.lua("ssh('drop-channel', [[%s]])" % COMMAND, permissions=ALL)))
        same(v["steps"][0]["state"], "failed")


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
