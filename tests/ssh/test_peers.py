#!/usr/bin/env python3
"""The servers that tests of SSH talk to do what they say (tools/sshd.py): judged by OpenSSH's own client."""
import os, socket, sys, tempfile, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from badwire import BadWire
from host import Skip, run_host_tests
from rungclient import deadline
from sshd import Agent, Sshd, can_mount
from world import same


def test_a_fleet_answers_on_every_address():
    with Sshd(20) as fleet:
        same(len({t.address for t in fleet.targets}), 20)
        same(len({t.key for t in fleet.targets}), 2)
        for t in (fleet.targets[0], fleet.targets[19]):
            same(fleet.ssh(t, "echo here; exit 3")[:2], (3, "here\n"))


def test_strangers_are_refused_and_certificates_accepted():
    with Sshd() as fleet:
        t = fleet.targets[0]
        status, _, why = fleet.ssh(t, "true", key=fleet.keys.stranger)
        assert status == 255 and "Permission denied" in why, why
        same(fleet.ssh(t, "true", key=fleet.keys.certified)[0], 0)
        os.unlink(fleet.keys.certificate)
        same(fleet.ssh(t, "true", key=fleet.keys.certified)[0], 255)
        fleet.keys.sign(fleet.keys.certified, ["nobody-here"])
        same(fleet.ssh(t, "true", key=fleet.keys.certified)[0], 255)


def test_an_agent_signs():
    with Sshd() as fleet, Agent(fleet.keys.user) as agent:
        options = ["IdentityAgent=" + agent.socket, "IdentitiesOnly=no"]
        same(fleet.ssh(fleet.targets[0], "true", key=fleet.keys.stranger, options=options)[0], 0)


def test_a_restart_with_other_keys_is_seen():
    with Sshd() as fleet:
        before = fleet.targets[0]
        fleet.restart()
        same(fleet.ssh(before, "true")[0], 0)
        fleet.restart(new_keys=True)
        assert fleet.targets[0].key != before.key
        status, _, why = fleet.ssh(before, "true")
        assert status == 255 and "HAS CHANGED" in why, why


def test_the_key_exchange_and_the_command_can_be_forced():
    with Sshd(kex="curve25519-sha256", force_command="echo instead of $SSH_ORIGINAL_COMMAND") as fleet:
        same(fleet.ssh(fleet.targets[0], "true")[1], "instead of true\n")
        assert fleet.logged("kex: algorithm: curve25519-sha256")
        status, _, why = fleet.ssh(fleet.targets[0], "true", options=["KexAlgorithms=diffie-hellman-group14-sha256"])
        assert status == 255 and "no matching key exchange" in why, why


def test_sessions_end_where_they_stand():
    with Sshd() as fleet, tempfile.TemporaryDirectory() as folder:
        mark, got = os.path.join(folder, "mark"), []
        thread = threading.Thread(target=lambda: got.append(fleet.ssh(fleet.targets[0], "touch %s; sleep 100; touch %s.2" % (mark, mark))))
        thread.start()
        deadline(20, "the command runs", lambda: os.path.exists(mark))
        assert fleet.drop() >= 2
        thread.join(20)
        same(got[0][0], 255)
        same(fleet.ssh(fleet.targets[0], "true")[0], 0)


def test_users_are_of_the_fleet_alone():
    if not can_mount():
        raise Skip("users of its own take root and mounts")
    shells = {"plainsh": "/bin/sh", "noshell": "/usr/sbin/nologin"}
    if os.path.exists("/bin/tcsh"):
        shells["plainc"] = "/bin/tcsh"
    with Sshd(users=shells) as fleet:
        t = fleet.targets[0]
        same(fleet.ssh(t, "id -un; pwd", user="plainsh")[1], "plainsh\n%s\n" % fleet.path("home-plainsh"))
        assert "not available" in fleet.ssh(t, "true", user="noshell")[1]
        if "plainc" in shells:
            same(fleet.ssh(t, "echo $version", user="plainc")[1].split()[0], "tcsh")
        with open("/etc/passwd") as f:
            assert "plainsh" not in f.read()
        same(fleet.ssh(t, "cd && pwd")[1], fleet.path("home-" + t.user) + "\n")


def test_targets_behind_a_jump_host_are_reached_through_it_only():
    if not can_mount():
        raise Skip("a network of its own takes root")
    with Sshd(2, behind=True) as fleet:
        t, j = fleet.targets[1], fleet.jump.target
        status, _, why = fleet.ssh(t, "true")
        assert status == 255 and "refused" in why, why
        proxy = "ssh -F none -i %s -o UserKnownHostsFile=%s -o BatchMode=yes -p %d -W %%h:%%p %s@%s" % (fleet.keys.user, fleet.known_hosts, j.port, j.user, j.address)
        same(fleet.ssh(t, "echo behind", options=["ProxyCommand=" + proxy]), (0, "behind\n", ""))
        same(fleet.jump.logged("server_request_direct_tcpip"), 1)
        same(fleet.ssh(j, "echo jump")[:2], (0, "jump\n"))


def test_a_bad_wire_cuts_holds_and_slows():
    with Sshd() as fleet:
        t = fleet.targets[0]

        def through(*command, **how):
            with BadWire(t.address, t.port, **how) as wire:
                status, out, _ = fleet.ssh(t._replace(port=wire.port, address=wire.address), *command, options=["HostKeyAlias=[%s]:%d" % (t.address, t.port)])
                return status, len(out), wire

        same(through("head -c 3000000 /dev/zero")[:2], (0, 3000000))
        status, got, wire = through("head -c 3000000 /dev/zero", cut_after=1000000)
        assert status == 255 and 0 < got < 1000000 and wire.sent == 1000000, (status, got, wire.sent)
        same(through("true", refuse=True)[0], 255)
        with BadWire(t.address, t.port, bytes_a_second=20) as wire, socket.create_connection((wire.address, wire.port)) as s:
            assert len(s.recv(100)) <= 2
            wire.hold()
            s.settimeout(0.5)
            try:
                while True:
                    s.recv(100)
            except socket.timeout:
                pass
            wire.release()
            s.settimeout(20)
            s.recv(1)
            same(wire.cut(), 1)
            try:
                while s.recv(100):
                    pass
                raise AssertionError("closed, not reset")
            except ConnectionResetError:
                pass


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
