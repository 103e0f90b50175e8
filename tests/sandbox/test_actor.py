"""The actor and the commands of an execution: what they can reach, as whom they run, and that nothing of them stays. Most of it takes two users of this host
and root to be each of them; what is about another user runs the release build.

limit: 150
"""
import ctypes, json, os, pwd, shutil, signal, socket, subprocess, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))
import rungclient as r
from host import (AS_OTHER, CAPABILITIES, CGROUP2, CGROUP2_SEEN, IN_GROUPS, OTHER, OWNER, RELEASE, Host, find, gone, name, nap, needs_groups, needs_root, read, run_host_tests, runs, status)
from world import same


# ---- what an actor has ----

def an_actor_has_its_socket_and_the_lock_and_nothing_else():
    needs_root()
    with Host().start() as h:
        x = h.background("sleep 60")
        pid = h.actor()
        fds = {int(n): os.readlink("/proc/%d/fd/%s" % (pid, n)) for n in os.listdir("/proc/%d/fd" % pid)}
        same([fds.pop(n) for n in (0, 1, 2)], ["/dev/null"] * 3)
        assert fds.pop(3).startswith("socket:"), fds
        same(fds.pop(250), os.path.join(h.engine.state, "locks", x))
        flags = int(next(l.split()[1] for l in read("/proc/%d/fdinfo/250" % pid).split("\n") if l.startswith("flags:")), 8)
        same(flags & 3, os.O_RDONLY)
        # What is left: its signals, and the pipes of the one command that runs.
        same(sorted(v.split(":")[0] for v in fds.values()), ["anon_inode", "pipe", "pipe"])
        same(os.getsid(pid), pid)
        assert "games" not in read("/proc/%d/environ" % pid) and "HOME=" not in read("/proc/%d/environ" % pid)
        h.client.ask("cancel", execution=x)


def an_actor_that_is_traced_ends():
    libc = ctypes.CDLL(None, use_errno=True)
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.dup2(theirs.fileno(), 3)
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 2)
        libc.ptrace(0, 0, None, None)  # PTRACE_TRACEME
        os.execv(os.path.join(RELEASE, "rung"), ["rung", "actor"])
    theirs.close()
    _, how = os.waitpid(pid, 0)
    assert os.WIFSTOPPED(how), how
    libc.ptrace(7, pid, None, None)  # PTRACE_CONT
    ours.settimeout(20)
    guard = threading.Timer(20, os.kill, (pid, signal.SIGKILL))
    guard.start()
    try:
        while True:
            _, how = os.waitpid(pid, 0)
            if not os.WIFSTOPPED(how):
                break
            libc.ptrace(7, pid, None, ctypes.c_void_p(os.WSTOPSIG(how)))
    finally:
        guard.cancel()
    said = ours.recv(4096)
    assert said == b"" and not (os.WIFEXITED(how) and os.WEXITSTATUS(how) == 0), (said, how)


def commands_of_its_own_user_cannot_look_into_an_actor():
    needs_root()
    with Host(as_user=OWNER).start() as h:
        out = h.out("id -un; head -c 1 /proc/$PPID/mem; ls /proc/$PPID/fd; cat /proc/$PPID/environ; head -c 1 /proc/self/environ >/dev/null && echo own")
        lines = out.strip().split("\n")
        same((lines[0], out.count("Permission denied"), lines.count("own")), (OWNER, 3, 1))


def commands_get_the_named_environment_only():
    config = "version: 1\nenvironment: [FIRST, NOT_SET]\n"
    with Host(config, os.environ.get("RUNG_BUILD", RELEASE), environment={"FIRST": "one two", "SECOND": "hidden"}).start() as h:
        names = sorted(l.split("=")[0] for l in h.out("env").strip().split("\n"))
        same([n for n in names if n not in ("PWD", "SHLVL", "_", "OLDPWD")], ["FIRST", "HOME", "LC_ALL", "PATH", "RUNG_EXECUTION"])
        # What a file says anew is so for the next execution, without another start.
        h.engine.say("version: 1\nenvironment: [SECOND]\n")
        out = h.out("env")
        assert "SECOND=hidden" in out and "FIRST" not in out, out


def commands_have_the_limits_of_the_configuration():
    config = "version: 1\ncommands:\n  no_new_privileges: true\n  limits: {open_files: 77, file_bytes: 1000, memory_bytes: 900000000, cpu_seconds: 500}\n"
    with Host(config, os.environ.get("RUNG_BUILD", RELEASE)).start() as h:
        out = h.out("ulimit -n; ulimit -c; ulimit -v; ulimit -t; grep NoNewPrivs /proc/self/status; head -c 2000 /dev/zero >big; stat -c %s big; rm -f big")
        same(out.split("\n")[:5], ["77", "0", "878906", "500", "NoNewPrivs:\t1"])
        assert "\n1000\n" in out, out
        # Nothing said: sudo works.
        h.engine.say("version: 1\n")
        same(h.out("ulimit -n; grep NoNewPrivs /proc/self/status").strip(), "1024\nNoNewPrivs:\t0")


# ---- another user ----

# Each line says what it tries; "did" must never come. 16902 is PTRACE_SEIZE, which stops nothing.
ATTEMPTS = """
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "did $what"; else echo "could not $what"; fi; }
try list-state ls STATE
try read-keys sh -c 'cat STATE/keys/* STATE/*.key STATE/store.db'
try write-state touch STATE/x
try write-config sh -c 'echo x >>CONFIG'
try replace-config mv CONFIG CONFIG.old
try connect python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("STATE/engine.sock")'
for p in ENGINE FORKD WORKER; do
	try kill-$p kill -0 $p
	try memory-$p sh -c ": </proc/$p/mem"
	try descriptors-$p ls /proc/$p/fd
	try environment-$p cat /proc/$p/environ
	try trace-$p python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16902, '$p', None, None) != 0)'
done
try actor-memory sh -c ": </proc/$PPID/mem"
try actor-trace python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16902, '$PPID', None, None) != 0)'
try lock-write sh -c 'echo x >/proc/self/fd/250'
try become-root python3 -c 'import os; os.setuid(0)'
try leave-group sh -c 'echo 0 >CGROUP/cgroup.procs'
"""


def attempts(h):
    x = h.background("sleep 50")
    text = ATTEMPTS
    for word, value in (("STATE", h.engine.state), ("CONFIG", h.engine.config), ("ENGINE", h.engine.process.pid), ("FORKD", h.forkd()), ("WORKER", h.worker()),
                        ("CGROUP", CGROUP2 or "/sys/fs/cgroup")):
        text = text.replace(word, str(value))
    out = h.out(text).strip().split("\n")
    h.client.ask("cancel", execution=x)
    return [l.split()[1].rstrip("0123456789") for l in out if l.startswith("did ")], len(out)


def commands_of_another_user_reach_nothing_of_the_engine():
    needs_root()
    with Host(AS_OTHER).start() as h:
        same(h.out("id -un; id -gn; id -Gn; grep -E 'Cap(Inh|Prm|Eff|Amb)' /proc/self/status | tr -d '\\n'").split("\n")[:4],
             [OTHER, OTHER, OTHER, "CapInh:\t0000000000000000CapPrm:\t0000000000000000CapEff:\t0000000000000000CapAmb:\t0000000000000000"])
        same(attempts(h), ([], 26))
    # The attempts are real ones: the engine's own user, root here, succeeds with nearly all.
    with Host().start() as h:
        did, _ = attempts(h)
        for what in ("list-state", "write-state", "connect", "kill-", "memory-", "trace-"):
            assert what in did, (what, did)


def only_the_fork_server_can_become_another_user():
    needs_root()
    set_ids = (1 << 6) | (1 << 7)
    for more in ({}, {"as_user": OWNER, "capabilities": CAPABILITIES}):
        with Host(AS_OTHER, **more).start() as h:
            x = h.background("sleep 60")
            for pid, allowed in ((h.forkd(), set_ids), (h.worker(), 0), (h.actor(), 0)):
                held = {k: int(status(pid, k), 16) for k in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
                same(held, {"CapInh": 0, "CapPrm": allowed, "CapEff": allowed, "CapAmb": 0})
            other = pwd.getpwnam(OTHER)
            same(status(h.actor(), "Uid").split(), [str(other.pw_uid)] * 4)
            same(status(h.actor(), "Gid").split(), [str(other.pw_gid)] * 4)
            h.client.ask("cancel", execution=x)


def what_an_engine_has_for_another_user_its_own_commands_do_not_get():
    needs_root()
    for config in ("version: 1\n", "version: 1\ncommands: {as: %s}\n" % OWNER):
        with Host(config, as_user=OWNER, capabilities=CAPABILITIES + ",+net_raw").start() as h:
            # What it has for other reasons is left to them.
            same(h.out("id -un; grep CapEff /proc/self/status; grep CapAmb /proc/self/status").split("\n")[:3],
                 [OWNER, "CapEff:\t0000000000002000", "CapAmb:\t0000000000002000"])


def an_engine_with_three_capabilities_and_no_root_ends_its_commands():
    needs_root()
    with Host(AS_OTHER, as_user=OWNER, capabilities=CAPABILITIES).start() as h:
        one, two = nap(), nap()
        x = h.background("(setsid sleep %s >/dev/null 2>&1 &); trap '' TERM; sleep %s" % (one, two))
        same(status(runs("sleep", one), "Uid").split()[0], str(pwd.getpwnam(OTHER).pw_uid))
        runs("sleep", two)
        h.client.ask("cancel", execution=x)
        same(h.over(x)["state"], "cancelled")
        gone("sleep", one)
        gone("sleep", two)


def without_the_right_to_it_there_is_no_other_user():
    needs_root()
    for capabilities in (None, "+setuid,+setgid"):
        with Host(AS_OTHER, as_user=OWNER, capabilities=capabilities) as h:
            said = h.engine.try_start()
            assert said.startswith("denied ") and "config.yaml:2:16: commands shall run as games" in said and "CAP_KILL" in said, said
            same(h.engine.process.wait(20), 4)


# ---- nothing stays ----

def left_behind(one, two):
    """A daemon that gave up the lock, and a command that goes on."""
    return "(setsid bash -c 'exec 250>&-; exec sleep %s' >/dev/null 2>&1 &); sleep %s" % (one, two)


def has_group(h, x):
    return any(os.path.basename(d) == "rung-" + x for d, _, _ in os.walk("/proc/%d/root%s" % (h.engine.process.pid, CGROUP2_SEEN)))


def a_daemon_does_not_outlive_its_execution():
    needs_groups()
    for config in ("version: 1\n", AS_OTHER):
        with Host(config, prefix=IN_GROUPS).start() as h:
            one, two = nap(), nap()
            x = h.background(left_behind(one, two))
            daemon = runs("sleep", one)
            runs("sleep", two)
            assert "rung-" + x in read("/proc/%d/cgroup" % daemon)
            assert has_group(h, x)
            assert "rung-" not in read("/proc/%d/cgroup" % h.engine.process.pid)
            # With its actor killed, nobody's child any more and without the lock, only the group knows of it.
            os.kill(h.actor(), signal.SIGKILL)
            gone("sleep", one)
            gone("sleep", two)
            h.over(x)
            h.client.ask("cancel", execution=x)
            r.deadline(20, "the group is removed", lambda: not has_group(h, x))


def recovery_ends_what_a_killed_engine_and_actor_left():
    needs_groups()
    with Host(AS_OTHER, prefix=IN_GROUPS).start() as h:
        one, two = nap(), nap()
        x = h.background(left_behind(one, two))
        runs("sleep", one)
        runs("sleep", two)
        victims = [h.engine.process.pid, h.forkd(), h.actor()]
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        h.engine.process.wait()
        assert find("sleep", one) and find("sleep", two), "they are what recovery is to find"
        h.start()
        h.client.ask("resume", execution=x)
        gone("sleep", one)
        gone("sleep", two)
        r.deadline(20, "the group is removed", lambda: not has_group(h, x))
        h.client.ask("cancel", execution=x)


def recovery_without_groups_finds_what_another_user_holds():
    needs_root()
    with Host(AS_OTHER, as_user=OWNER, capabilities=CAPABILITIES).start() as h:
        one = nap()
        # This one keeps the lock, and the engine's own user may not look at its descriptors.
        x = h.background("(setsid sleep %s >/dev/null 2>&1 &); sleep 100" % one)
        runs("sleep", one)
        assert "rung-" not in read("/proc/%d/cgroup" % runs("sleep", one))
        victims = [h.engine.process.pid, h.forkd(), h.actor()]
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        h.engine.process.wait()
        assert find("sleep", one)
        h.start()
        h.client.ask("resume", execution=x)
        gone("sleep", one)
        h.over(x)
        h.client.ask("cancel", execution=x)


def recovery_ends_an_actor_that_was_stopped():
    needs_root()
    for config, more in (("version: 1\n", {}), (AS_OTHER, {"capabilities": CAPABILITIES})):
        with Host(config, as_user=OWNER, **more).start() as h:
            x = h.background("sleep 100")
            actor = h.actor()
            os.kill(actor, signal.SIGSTOP)
            h.engine.kill()
            h.client.close()
            h.start()
            h.client.ask("resume", execution=x)
            r.deadline(20, "the stopped actor is gone", lambda: name(actor) != "rung-actor" or status(actor, "State").startswith("Z"))
            h.over(x)
            h.client.ask("cancel", execution=x)


def without_a_control_group_all_goes_on():
    needs_root()
    hidden = ["unshare", "-m", "sh", "-c", 'umount -l %s; exec "$0" "$@"' % CGROUP2] if CGROUP2 else []
    with Host(prefix=hidden).start() as h:
        same(h.out("echo fine").strip(), "fine")
        one = nap()
        x = h.background("%s" % left_behind(one, "100"))
        runs("sleep", one)
        h.client.ask("cancel", execution=x)
        gone("sleep", one)
        assert "commands have no control group: no cgroup2 hierarchy is mounted" in h.log_tail(), h.log_tail()


# ---- the configuration ----

WRONG = [
    ("sandbox: offered\n", "1:1: the file says which form it has: write version: 1"),
    ("version: 2\n", '1:10: version is 1, and here is "2"'),
    ("version: 1\ncomands: {}\n", '2:1: config.yaml has no "comands": did you mean "commands"?'),
    ("version: 1\ncommands: {user: x}\n", '2:12: commands has no "user": it may have'),
    ("version: 1\nsandbox: strict\n", "2:10: sandbox is"),
    ("version: 1\ncommands: {as: }\n", "2:"),
    ("version: 1\ncommands: {as: nobody-of-that-name}\n", "2:16: commands: as: there is no user nobody-of-that-name on this host"),
    ("version: 1\ncommands: {no_new_privileges: maybe}\n", "2:31: no_new_privileges is"),
    ("version: 1\ncommands: {limits: {open_file: 20}}\n", '2:21: limits has no "open_file": did you mean "open_files"?'),
    ("version: 1\ncommands: {limits: {open_files: 1}}\n", "2:33: open_files is a whole number from 16"),
    ("version: 1\nenvironment: [A, 'B C']\n", '2:18: environment has names of variables (letters, digits, _), not "B C"'),
    ("version: 1\nenvironment: [RUNG_STATE]\n", "2:15: environment cannot have RUNG_STATE"),
    ("version: 1\nenvironment: {A: b}\n", "2:14: environment is"),
]


def a_wrong_configuration_says_where_and_what():
    for config, expected in WRONG:
        with Host(config, os.environ.get("RUNG_BUILD", RELEASE)) as h:
            said = h.engine.try_start()
            assert said.startswith("invalid ") and ".rung/config.yaml:" + expected in said, (config, said)
            same((config, h.engine.process.wait(20)), (config, 3))


def what_is_required_is_there_or_nothing_starts():
    with Host("version: 1\nsandbox: require\n") as h:
        said = h.engine.try_start()
        assert "config.yaml:2:10: sandbox: require, and this is missing:" in said and "another user for commands: write `commands: {as: NAME}`" in said, said
        same(h.engine.process.wait(20), 1)
    needs_root()
    config = "version: 1\nsandbox: require\ncommands: {as: %s}\n" % OTHER
    with Host(config) as h:
        said = h.engine.try_start()
        if said != "ready\n":
            assert "Landlock" in said, said  # a kernel without it
            return
        h.client = h.connect()
        same(h.out("id -un").strip(), OTHER)
    with Host(config) as h:
        # A folder above the configuration that the commands' user may write: another file could be put in its place.
        os.chmod(h.folder, 0o777)
        said = h.engine.try_start()
        assert h.folder + ", which games may not be able to write" in said, said
    with Host(config) as h:
        policy = os.path.join(h.folder, ".rung", "policy.yaml")
        with open(policy, "w") as f:
            f.write("version: 1\n")
        os.chown(policy, pwd.getpwnam(OTHER).pw_uid, 0)
        said = h.engine.try_start()
        assert policy + ", which games may not be able to write" in said, said
    sanitized = os.environ.get("RUNG_BUILD")
    if sanitized and os.path.basename(sanitized) == "san":
        with Host(config, sanitized) as h:
            said = h.engine.try_start()
            assert "a system-call filter (seccomp)" in said, said


def an_engine_is_what_the_workspace_demands_or_runs_nothing_of_it():
    with Host(build=os.environ.get("RUNG_BUILD", RELEASE)).start() as h:
        same(h.out("echo fine").strip(), "fine")
        h.engine.say("version: 1\ncommands: {as: %s}\n" % OTHER)
        book = h.lua("sh('true')")
        try:
            h.run(book)
            raise AssertionError("it ran")
        except r.Refused as e:
            assert e.kind == "conflict" and "commands as %s" % OTHER in e.text and "end it (SIGTERM)" in e.text, e.text
        h.engine.say("version: 1\n")
        other = os.path.join(h.folder, "other")
        os.makedirs(os.path.join(other, ".rung"))
        elsewhere = os.path.join(other, "book.md")
        shutil.copy(book, elsewhere)
        same(h.over(h.run(elsewhere))["state"], "succeeded")
        with open(os.path.join(other, ".rung", "config.yaml"), "w") as f:
            f.write("version: 1\nsandbox: require\n")
        try:
            h.run(elsewhere)
            raise AssertionError("it ran")
        except r.Refused as e:
            assert e.kind == "conflict" and "sandbox: require" in e.text, e.text


def every_key_is_documented():
    keys = json.loads(subprocess.run([os.path.join(RELEASE, "rung"), "help", "config", "--json"], capture_output=True, text=True, check=True).stdout)
    with open(os.path.join(os.path.dirname(__file__), "..", "..", "engine", "sandbox", "README.md")) as f:
        text = f.read()
    for k in keys:
        row = "| `%s` | `%s` | %s |" % (k["name"], k["value"].replace("|", "\\|"), k["means"].replace("|", "\\|"))
        assert row in text, "engine/sandbox/README.md has no row " + row


def doctor_says_what_confines_what():
    rung = os.path.join(RELEASE, "rung")
    def doctor(config):
        with Host(config) as h:
            out = subprocess.run([rung, "doctor", "--json", "--state", h.engine.state], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=h.folder)
            return json.loads(out.stdout), {f["name"]: f for f in json.loads(out.stdout)["findings"]}
    v, rows = doctor("version: 1\n")
    assert "nothing but that user" in v["honesty"] and "rewrite policy, state and keys" in v["honesty"], v["honesty"]
    assert "would miss" in rows["sandbox"]["what"] and "another user for commands" in rows["sandbox"]["what"], rows["sandbox"]
    for row in ("kernel", "Landlock", "seccomp", "worker", "groups", "tracing", "commands", "config"):
        assert rows[row]["what"], row
    _, rows = doctor("version: 1\nsandbox: strict\n")
    assert not rows["config"]["good"] and "config.yaml:2:10" in rows["config"]["what"], rows["config"]
    _, rows = doctor("version: 1\nsandbox: require\n")
    assert not rows["sandbox"]["good"], rows["sandbox"]
    needs_root()
    v, rows = doctor(AS_OTHER)
    assert "Commands run as %s" % OTHER in v["honesty"] and rows["commands"]["good"], (v["honesty"], rows["commands"])


TESTS = [every_key_is_documented, doctor_says_what_confines_what, an_actor_has_its_socket_and_the_lock_and_nothing_else, an_actor_that_is_traced_ends, commands_of_its_own_user_cannot_look_into_an_actor,
         commands_get_the_named_environment_only, commands_have_the_limits_of_the_configuration, commands_of_another_user_reach_nothing_of_the_engine,
         only_the_fork_server_can_become_another_user, an_engine_with_three_capabilities_and_no_root_ends_its_commands,
         what_an_engine_has_for_another_user_its_own_commands_do_not_get, without_the_right_to_it_there_is_no_other_user, a_daemon_does_not_outlive_its_execution, recovery_ends_what_a_killed_engine_and_actor_left,
         recovery_without_groups_finds_what_another_user_holds, recovery_ends_an_actor_that_was_stopped, without_a_control_group_all_goes_on,
         a_wrong_configuration_says_where_and_what, what_is_required_is_there_or_nothing_starts, an_engine_is_what_the_workspace_demands_or_runs_nothing_of_it]


if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
