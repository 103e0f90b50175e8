#!/usr/bin/env python3
"""Commands on other hosts, against real sshd on loopback: what they get and give, keys, certificates, an agent, host keys, sudo, jump hosts, and what is refused.

limit: 150
"""
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from fleet import ALL, Fleet
from host import Skip, read, run_host_tests
from sshd import Agent, can_mount
from world import same


def needs_mounts():
    if not can_mount():
        raise Skip("users of its own take root and mounts")


def test_words_arrive_as_they_are():
    odd = ["", "it's", "$HOME", "a  b", "*", "-n", "`id`", "\\n", "new\nline", '"', "!x", "~", "ünïcode", ";", "#", "a=b", "{a,b}"]
    with Fleet() as f:
        lua = "{%s}" % ", ".join(["'printf'", "'<%s>'"] + ['"%s"' % w.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for w in odd])
        same(f.result("ssh('t0', %s).stdout" % lua), "".join("<%s>" % w for w in odd))
        same(f.result("ssh('t0', 'echo $((1 + 2)); exit 3', {ok = 3})"), {"code": 3, "stdout": "3\n", "stderr": ""})


def test_output_input_statuses_and_signals():
    with Fleet() as f:
        same(f.result("ssh('t0', {'sh', '-c', 'echo out; echo err >&2; exit 7'}, {check = false})"), {"code": 7, "stdout": "out\n", "stderr": "err\n"})
        same(f.result("ssh('t0', {'sh', '-c', 'kill -9 $$'}, {check = false}).signal"), 9)
        same(f.result("ssh('t0', {'cat'}, {stdin = 'fed'}).stdout"), "fed")
        same(f.result("#ssh('t0', {'wc', '-c'}, {stdin = ('x'):rep(700000)}).stdout > 0 and ssh('t0', {'wc', '-c'}, {stdin = ('x'):rep(700000)}).stdout"), "700000\n")
        same(f.result("#ssh('t0', {'head', '-c', '3000000', '/dev/zero'}).stdout"), 3000000)
        same(f.result("ssh('t0', {'no-such-program'}, {check = false}).code"), 127)
        why = f.why("ssh('t0', {'sh', '-c', 'echo because >&2; exit 4'})")
        assert "ssh: t0: echo because >&2; exit 4 ended with exit status 4: because" in why, why


def test_what_a_command_leaves_running_does_not_hold_it():
    with Fleet() as f:
        same(f.result("ssh('t0', 'sleep 300 & echo there').stdout"), "there\n")


def test_a_connection_is_kept_and_has_many_channels():
    with Fleet() as f:
        same(f.result("#each({1,2,3,4,5,6,7,8,9,10,11,12}, function(i) return ssh('t0', {'sh', '-c', 'sleep 0.1; echo ' .. i}) end, {max_concurrency = 12})"), 12)
        same(f.sshd.logged("Accepted publickey"), 1)
    with Fleet(config="MaxSessions 2") as f:
        same(f.result("#each({1,2,3,4,5,6}, function(i) return ssh('t0', {'sh', '-c', 'sleep 0.1; echo ' .. i}) end, {max_concurrency = 6})"), 6)
        same(f.sshd.logged("Accepted publickey"), 1)


def test_a_connection_that_ended_meanwhile_is_made_anew():
    with Fleet() as f:
        mark = f.path("mark")
        x = f.run(f.lua("ssh('t0', {'true'})\nsh('touch %s; while [ ! -e %s.go ]; do sleep 0.05; done')\nreturn {v = ssh('t0', {'echo', 'again'}).stdout}" % (mark, mark), permissions=(*ALL, "sh sh -c *")))
        r.deadline(20, "the first command ran", lambda: os.path.exists(mark))
        assert f.sshd.drop() > 0
        open(mark + ".go", "w").close()
        v = f.over(x)
        same((v["state"], v["steps"][0]["result"]), ("succeeded", {"v": "again\n"}))


def test_rights_name_login_host_user_and_words():
    with Fleet(2) as f:
        user = f.sshd.user
        for pattern, fine in (("ssh %s@t0 -- echo *" % user, True), ("ssh %s@t* -- echo hi" % user, True), ("ssh nobody@t0 -- echo *", False), ("ssh %s@t1 -- echo *" % user, False),
                              ("ssh %s@t0 as root -- echo *" % user, False), ("ssh t0 -- echo *", False), ("sh echo *", False)):
            v = f.over(f.run(f.of("ssh('t0', {'echo', 'hi'})", permissions=(pattern,))))
            same((pattern, v["steps"][0]["state"]), (pattern, "succeeded" if fine else "denied"))
        x = f.run(f.of("ssh('t0', {'true'})"))
        f.over(x)
        same(f.view(x)["steps"][0]["calls"][0]["words"], "ssh %s@t0 -- true" % user)


def test_logins():
    needs_mounts()
    with Fleet(users={"ana": "/bin/sh", "bo": "/bin/bash"}) as f:
        same(f.result("ssh('t0', {'id', '-un'}, {login = 'ana'}).stdout"), "ana\n")
        f.entries["t0"]["login"] = "bo"
        f.write_inventory()
        same(f.result("ssh('t0', {'id', '-un'}).stdout"), "bo\n")
        del f.entries["t0"]["login"]
        f.write_inventory()
        same(f.result("ssh('t0', {'id', '-un'}).stdout"), f.sshd.user + "\n")


def test_sudo_without_a_password_and_no_other():
    needs_mounts()
    with Fleet(users={"ana": "/bin/sh", "bo": "/bin/sh"}, sudo="ana ALL=(bo) NOPASSWD: /usr/bin/id") as f:
        same(f.result("ssh('t0', {'id', '-un'}, {login = 'ana', as = 'bo'}).stdout", permissions=("ssh ana@t0 as bo -- id -un",)), "bo\n")
        why = f.why("ssh('t0', {'id', '-un'}, {login = 'ana', as = 'root'})")
        assert "ended with exit status 1: sudo: " in why, why


def test_a_login_shell_that_is_not_posix_is_refused():
    needs_mounts()
    shells = {"plainc": "/bin/tcsh", "noshell": "/usr/sbin/nologin", "plainz": "/bin/zsh", "plainf": "/usr/bin/fish"}
    shells = {u: s for u, s in shells.items() if os.path.exists(s)}
    with Fleet(users=shells) as f:
        for user in shells:
            if user == "plainz":
                same(f.result("ssh('t0', {'echo', \"it's\"}, {login = 'plainz'}).stdout"), "it's\n")
                continue
            why = f.why("ssh('t0', {'touch', '%s'}, {login = '%s'})" % (f.path("touched"), user))
            assert "did not run the command: the login shell there is no POSIX shell, or lets nobody in" in why, why
            assert not os.path.exists(f.path("touched"))
        assert "This account is currently not available" in why or "noshell" not in shells, why


def test_what_a_login_prints_is_no_output():
    with Fleet(force_command="echo welcome; echo noise >&2; eval \"$SSH_ORIGINAL_COMMAND\"") as f:
        same(f.result("ssh('t0', {'echo', 'x'}).stdout"), "x\n")


def test_unknown_and_changed_host_keys_are_denied():
    with Fleet() as f:
        pinned = f.entries["t0"]["host_keys"]
        del f.entries["t0"]["host_keys"]
        f.write_inventory()
        why = f.why("ssh('t0', {'touch', '%s'})" % f.path("touched"), state="denied")
        assert "the host key of t0" in why and "is not known: ssh-ed25519 SHA256:" in why and 'host_keys: ["%s"]' % pinned[0] in why, why
        f.entries["t0"]["host_keys"] = pinned
        f.write_inventory()
        f.sshd.restart(new_keys=True)
        why = f.why("ssh('t0', {'touch', '%s'})" % f.path("touched"), state="denied")
        assert "proved another host key than the inventory has for it: ssh-ed25519 SHA256:" in why, why
        assert not os.path.exists(f.path("touched"))
        same(f.sshd.logged("Accepted publickey"), 0)
        fingerprint = os.popen("ssh-keygen -lf %s" % f.sshd.path("host_key0.pub")).read().split()[1]
        f.entries["t0"]["host_keys"] = [fingerprint]
        f.write_inventory()
        same(f.result("ssh('t0', {'true'}).code"), 0)


def test_files_of_known_hosts():
    with Fleet() as f:
        del f.entries["t0"]["host_keys"]
        f.write_inventory()
        known = f.sshd.known_hosts
        f.engine.say(read(f.engine.config).replace("known_hosts: []", "known_hosts: [%s]" % known))
        same(f.result("ssh('t0', {'true'}).code"), 0)
        os.system("ssh-keygen -q -H -f %s >/dev/null 2>&1" % known)
        assert read(known).startswith("|1|")
        same(f.result("ssh('t0', {'true'}).code"), 0)
        f.sshd.restart(new_keys=True)
        why = f.why("ssh('t0', {'true'})", state="denied")
        assert "proved another host key than %s:1 has for it" % known in why, why


def test_keys_certificates_and_agents():
    with Fleet() as f, Agent(f.sshd.keys.user) as agent:
        keys = f.sshd.keys

        def use(identities, more=""):
            f.engine.say("version: 1\nssh:\n  identities: [%s]\n  known_hosts: []\n%s" % (", ".join(identities), more))

        use([keys.stranger])
        why = f.why("ssh('t0', {'true'})")
        assert "lets nobody in with " + keys.stranger in why, why
        use([keys.certified])
        same(f.result("ssh('t0', {'true'}).code"), 0)
        os.unlink(keys.certificate)
        use([keys.certified])
        why = f.why("ssh('t0', {'true'})")
        assert "lets nobody in with" in why, why
        use(["/no/such/key"])
        why = f.why("ssh('t0', {'true'})")
        assert "there is none to show; /no/such/key: No such file" in why, why
    with Agent() as agent, Fleet(environment={"SSH_AUTH_SOCK": agent.socket}) as f:
        agent.add(f.sshd.keys.user)
        f.engine.say("version: 1\nssh: {identities: [], known_hosts: []}\n")
        same(f.result("ssh('t0', {'true'}).code"), 0)
        same(f.result("#each({1,2,3,4,5}, function(i) return ssh('t0', {'true'}) end)"), 5)
        f.engine.say("version: 1\nssh: {identities: [], known_hosts: [], agent: false}\n")
        assert "no key: there is none to show" in f.why("ssh('t0', {'true'})")


def test_a_key_that_is_a_secret():
    with Fleet(more="  agent: false\n") as f:
        f.engine.say("version: 1\nssh: {identities: [], known_hosts: [], agent: false}\n")
        with open(os.path.join(f.folder, ".rung", "secrets.yaml"), "w") as s:
            s.write("version: 1\nsecrets:\n  deploy-key: {file: %s}\n" % f.sshd.keys.user)
        same(f.result("ssh('t0', {'echo', 'in'}, {key = secret 'deploy-key'}).stdout", permissions=(*ALL, "secret deploy-key")), "in\n")
        same(f.result("ssh('t0', {'cat', '%s'}, {key = secret 'deploy-key'}).stdout" % f.sshd.keys.user, permissions=(*ALL, "secret deploy-key")), "[secret deploy-key]\n")


def test_a_host_behind_another():
    needs_mounts()

    def by_jump(entries):
        for e in entries.values():
            e["jump"] = "gate"

    with Fleet(3, behind=True) as f:
        j = f.sshd.jump.target
        by_jump(f.entries)
        f.entries["gate"] = {"address": j.address, "port": j.port, "login": j.user, "host_keys": [" ".join(j.key.split()[:2])]}
        f.write_inventory()
        same(f.result("ssh('t1', {'echo', 'behind'}).stdout"), "behind\n")
        same(f.result("#ssh.each({'t0', 't1', 't2'}, {'head', '-c', '1000000', '/dev/zero'}):ok_hosts()"), 3)
        same(f.result("ssh('t1', {'wc', '-c'}, {stdin = ('x'):rep(700000)}).stdout"), "700000\n")
        same(f.sshd.jump.logged("Accepted publickey"), 3)
        f.entries["gate"]["host_keys"] = ["SHA256:" + "A" * 43]
        f.write_inventory()
        why = f.why("ssh('t1', {'true'})", state="denied")
        assert "t1 is reached by another host: gate" in why and "proved another host key" in why, why


def test_hosts_that_cannot_be_reached():
    with Fleet() as f:
        f.entries["t0"]["port"] = 1
        f.entries["nowhere"] = {"address": "no-such-name.invalid"}
        f.write_inventory()
        why = f.why("ssh('t0', {'true'})")
        assert "t0 cannot be reached: 127.0.0.2:1: Connection refused" in why, why
        why = f.why("ssh('nowhere', {'true'})")
        assert "nowhere cannot be reached: " in why, why
        same(f.result("select(2, pcall(ssh, 't0', {'true'})).reason"), "unreachable")


def test_time_is_up_here_and_the_command_may_run_on():
    with Fleet() as f:
        v = f.over(f.run(f.of("ssh('t0', {'sleep', '300'}, {timeout = '500ms', effect = 'read'})")))
        assert v["state"] == "failed" and "was asked to end it, and it may run there still" in v["steps"][0]["why"], v["steps"][0]["why"]
        x = f.run(f.of("ssh('t0', {'sleep', '301'}, {timeout = '500ms'})"))
        f.step(x, "s0", lambda s: s["state"] == "unknown")
        f.client.ask("cancel", execution=x)


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
