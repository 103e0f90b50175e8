#!/usr/bin/env python3
"""The SSH server that misbehaves (ssh/peer_*.c, tools/sshpeer.py) does each of its faults, and nothing else: judged by OpenSSH's own client. limit: 180"""
import os, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from host import run_host_tests
from sshd import keygen
from sshpeer import Peer, every_fault
from world import same

ENDLESS, LOST, SERVED = 124, 255, 5  # of timeout(1), of ssh, of the command
HANG_S, GUARD_S = 2, 60
COMMAND = "echo hello; echo problem >&2; exit 5"

# What OpenSSH makes of each: exit status, and what it says.
ACTIONS = {"hang": (ENDLESS, ""), "slow": (ENDLESS, ""), "drop": (LOST, ""), "reset": (LOST, ""), "garbage": (LOST, ""), "disconnect": (LOST, "")}
# The status was there before the end, and a client may take it.
BEFORE = {"hang:closed": (SERVED, ""), "drop:closed": (None, ""), "drop:eof": (None, ""), "reset:closed": (None, ""), "reset:eof": (None, ""), "disconnect:closed": (None, "")}
ODDITIES = {
    "none": (SERVED, "problem"), "wrong-key": (LOST, "IDENTIFICATION HAS CHANGED"), "bad-signature": (LOST, "incorrect signature"), "bad-share": (LOST, ""),
    "zero-share": (LOST, "invalid elliptic curve value"), "no-common": (LOST, "no matching key exchange"), "lines-before": (SERVED, ""), "lines-endless": (ENDLESS, ""),
    "banner-endless": (LOST, "too long"), "banner-old": (LOST, "versions differ"), "banner-escapes": (SERVED, ""), "packet-huge": (LOST, "Bad packet length"), "packet-empty": (LOST, ""),
    "padding-wrong": (LOST, ""), "tag-wrong": (LOST, "message authentication code incorrect"), "type-unknown": (None, ""), "ignore-endless": (ENDLESS, ""),
    "auth-refused": (LOST, "Permission denied (publickey)"), "auth-partial": (LOST, "Permission denied (keyboard-interactive,password)"), "auth-banner": (SERVED, "watched"),
    "auth-banners-endless": (ENDLESS, "watched"), "channel-refused": (LOST, "open failed"), "channel-unasked": (SERVED, "agent forwarding"), "no-window": (SERVED, ""),
    "small-packets": (SERVED, ""), "exec-refused": (LOST, "exec request failed"), "exit-signal": (LOST, ""), "no-eof": (SERVED, ""), "no-status": (LOST, ""), "no-close": (ENDLESS, ""),
    "eof-first": (SERVED, ""), "status-twice": (7, ""), "output-late": (SERVED, ""), "output-endless": (ENDLESS, ""), "errors-endless": (ENDLESS, "all work"),
    "window-overrun": (ENDLESS, "too much data"), "channel-wrong": (LOST, "bad id"), "requests-endless": (ENDLESS, "")}


class Client:
    def __init__(self, peer):
        self.peer = peer
        self.key = os.path.join(peer.folder, "id")
        keygen("-t", "ed25519", "-N", "", "-f", self.key)

    def ask(self, fault, command=COMMAND, seconds=GUARD_S, input=b""):
        t = self.peer.target(fault)
        argv = ["timeout", str(seconds), "ssh", "-F", "none", "-i", self.key, "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-o", "GlobalKnownHostsFile=none"]
        argv += ["-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + self.peer.known_hosts, "-p", str(t.port), "%s@%s" % (t.user, t.address), command]
        done = subprocess.run(argv, input=input, capture_output=True)
        return done.returncode, done.stdout, done.stderr.decode("latin-1")


def test_it_serves_commands():
    with Peer("none") as peer:
        c = Client(peer)
        same(c.ask("none"), (5, b"hello\n", "problem\n"))
        same(len(c.ask("none", "head -c 20000000 /dev/zero")[1]), 20000000)
        big = os.urandom(5000000)
        same(c.ask("none", "cat", input=big)[1], big)
        same(c.ask("none", "sha256sum | cut -c1-8; kill -9 $$")[0], LOST)


def test_it_does_each_fault():
    faults = every_fault()
    expected = {**{f: ACTIONS[f.split(":")[0]] for f in faults if ":" in f}, **BEFORE, **ODDITIES}
    same(sorted(expected), sorted(list(faults) + ["none"]))
    with Peer(*expected) as peer, ThreadPoolExecutor(8) as pool:
        c = Client(peer)

        def ask(fault):
            status, words = expected[fault]
            # What must say something first gets the time for it.
            seconds = GUARD_S if status != ENDLESS else 4 * HANG_S if words else HANG_S
            got, _, said = c.ask(fault, seconds=seconds)
            is_right = (got == status or (status is None and got != ENDLESS)) and words in said
            return None if is_right else (fault, got, said[:200])

        same([wrong for wrong in pool.map(ask, expected) if wrong], [])


def test_a_fault_may_wait_for_a_later_session():
    with Peer("hang:exec@2") as peer, tempfile.TemporaryDirectory() as folder:
        c = Client(peer)
        t, shared = peer.target("hang:exec@2"), os.path.join(folder, "s")
        argv = ["ssh", "-F", "none", "-i", c.key, "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=" + peer.known_hosts, "-o", "ControlPath=" + shared, "-p", str(t.port)]
        where = "%s@%s" % (t.user, t.address)
        subprocess.run(argv + ["-o", "ControlMaster=yes", "-o", "ControlPersist=60", where, "true"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The first one's process keeps what this one would print to: no pipes.
        same(subprocess.run(["timeout", str(HANG_S)] + argv + [where, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode, ENDLESS)
        subprocess.run(argv + ["-O", "exit", where], capture_output=True)


def test_it_can_cost_nothing():
    with Peer("none", "drop:status", instant=True, addresses=300, answers={"uname": "Linux\n"}) as peer:
        c = Client(peer)
        same(c.ask("none", "exit 9"), (0, b"", ""))
        same(c.ask("none", "uname"), (0, b"Linux\n", ""))
        same(c.ask("drop:status", "uname")[:2], (LOST, b"Linux\n"))
        same(len({t.address for t in peer.targets("none")}), 300)
    with Peer("none", answers={"uname": "Linux\n", "*": "all one\n"}) as peer:
        c = Client(peer)
        same([c.ask("none", command)[1] for command in ("uname", "date")], [b"Linux\n", b"all one\n"])


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
