"""The actor and the commands of an execution: what they can reach, as whom they run, and that nothing of them stays. Most of it takes two users of this host
and root to be each of them; what is about another user runs the release build.

limit: 150
"""
import ctypes, json, os, pwd, shutil, signal, socket, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tools"))
import rungclient as r
from world import World, same

RELEASE = os.path.dirname(os.environ.get("RUNG_RELEASE", "build/rung"))
ROOT = os.geteuid() == 0
OTHER, OWNER = "games", "daemon"  # of the commands, of an engine without root; Debian has both
CAPABILITIES = "+setuid,+setgid,+kill"
CGROUP2 = next((l.split()[4] for l in open("/proc/self/mountinfo") if " - cgroup2 " in l), None)
# Where the hierarchy is not there, or not to be written, the engine gets a mount namespace with one of its own.
MOUNT = ["unshare", "-m", "sh", "-c", 'umount -l "$1" 2>/dev/null; mount -t cgroup2 none "$1" && shift && exec "$@"', "-", CGROUP2 or "/sys/fs/cgroup"]
IN_GROUPS = [] if CGROUP2 and os.access(CGROUP2, os.W_OK) else MOUNT
CGROUP2_SEEN = CGROUP2 or "/sys/fs/cgroup"


class Skip(Exception):
    pass


class Engine(r.Engine):
    """An engine with a configuration, and perhaps of another user."""

    def __init__(self, folder, build, config, prefix, environment):
        super().__init__(folder, build)
        self.prefix, self.more, self.config = prefix, environment, os.path.join(folder, ".rung", "config.yaml")
        self.state = os.path.join(folder, ".rung", "state")
        os.makedirs(os.path.dirname(self.config))
        self.say(config)

    def say(self, config):
        with open(self.config, "w") as f:
            f.write(config)

    def environment(self):
        return dict(super().environment(), **self.more)

    def try_start(self):
        """What it says: ready, or the kind of error and the sentence."""
        a, b = os.pipe()
        self.process = subprocess.Popen(self.prefix + [self.program, "engine", "--state", self.state, "--ready-fd", str(b)], pass_fds=[b],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True, env=self.environment())
        os.close(b)
        with os.fdopen(a) as f:
            return f.read()

    def start(self):
        said = self.try_start()
        if said != "ready\n":
            raise AssertionError("the engine did not start: %r" % said)
        return self


class Host(World):
    """A workspace with config.yaml, whose engine is started by the test. as_user: the engine's own user."""

    def __init__(self, config="version: 1\n", build=RELEASE, as_user=None, capabilities=None, prefix=(), environment=None):
        self.folder = tempfile.mkdtemp(prefix="rung-actor-")
        os.chmod(self.folder, 0o755)
        bin = os.path.join(self.folder, "bin")
        os.mkdir(bin)
        for name in ("rung", "rung-forkd"):
            shutil.copy(os.path.join(build, name), bin)
        prefix = list(prefix)
        if as_user:
            prefix += ["setpriv", "--reuid", as_user, "--regid", as_user, "--init-groups"]
            if capabilities:
                prefix += ["--inh-caps", capabilities, "--ambient-caps", capabilities]
        self.engine = Engine(self.folder, bin, config, prefix, environment or {})
        self.owner = pwd.getpwnam(as_user) if as_user else None
        if self.owner:
            for path in (self.folder, os.path.join(self.folder, ".rung")):
                os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
        self.client = None
        self.books = 0

    def start(self):
        self.engine.start()
        self.client = self.connect()
        return self

    def connect(self):
        """As the engine's own user: it lets nobody else in."""
        if not self.owner:
            return self.engine.client()
        os.seteuid(self.owner.pw_uid)
        try:
            return self.engine.client()
        finally:
            os.seteuid(0)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.client:
            self.client.close()
        self.engine.stop()
        log = self.log_tail()
        if kind is None:
            assert "Sanitizer" not in log and "runtime error" not in log, log
            shutil.rmtree(self.folder, ignore_errors=True)

    def out(self, command, state="succeeded"):
        """What a shell command printed as a step of a book."""
        x = self.run(self.lua("local r = sh([==[%s]==], {check = false})\nreturn {out = r.stdout .. r.stderr}" % command))
        v = self.over(x)
        same(v["state"], state)
        return v["steps"][0]["result"]["out"] if state == "succeeded" else v["steps"][0]["why"]

    def background(self, command):
        """Starts a step that goes on; gives the execution once its command runs."""
        mark = os.path.join(self.folder, "bin", "mark%d" % self.books)
        x = self.run(self.lua("sh([==[: 'mark %s'; %s]==])" % (mark, command)))
        r.deadline(20, "the command runs", lambda: any("mark " + mark in read("/proc/%s/cmdline" % p) for p in os.listdir("/proc") if p.isdigit()))
        return x

    def actor(self):
        return r.deadline(20, "an actor", lambda: next((p for p in self.engine.children() if name(p) == "rung-actor"), None))

    def forkd(self):
        return r.deadline(20, "a fork server", lambda: next((p for p in self.engine.children() if name(p) == "rung-forkd" and name(parent(p)) != "rung-forkd"), None))

    def worker(self):
        forkd = self.forkd()
        return r.deadline(20, "a worker", lambda: next((p for p in self.engine.children() if parent(p) == forkd and name(p) != "rung-actor"), None))


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def name(pid):
    return read("/proc/%d/comm" % pid).strip()


def status(pid, key):
    return next((l.split(":", 1)[1].strip() for l in read("/proc/%d/status" % pid).split("\n") if l.startswith(key + ":")), "")


def parent(pid):
    return int(status(pid, "PPid") or 0)


def find(*words):
    """Processes with exactly these arguments."""
    wanted = "\0".join(words) + "\0"
    return [int(p) for p in os.listdir("/proc") if p.isdigit() and read("/proc/%s/cmdline" % p) == wanted]


def runs(*words):
    return r.deadline(20, "%s runs" % " ".join(words), lambda: find(*words))[0]


def gone(*words):
    r.deadline(20, "%s is gone" % " ".join(words), lambda: not find(*words))


naps = iter(range(10))


def nap():
    """The argument of a sleep that is this test's alone."""
    return "%d.%d" % (3000 + next(naps), os.getpid())


def needs_root():
    if not ROOT:
        raise Skip("another user takes root")
    for u in (OTHER, OWNER):
        try:
            pwd.getpwnam(u)
        except KeyError:
            raise Skip("this host has no user %s" % u)


def needs_groups():
    try_it = 'mkdir %s/rung-test-%d && rmdir %s/rung-test-%d' % (CGROUP2_SEEN, os.getpid(), CGROUP2_SEEN, os.getpid())
    if not ROOT or subprocess.run(IN_GROUPS + ["sh", "-c", try_it], capture_output=True).returncode != 0:
        raise Skip("no cgroup2 hierarchy that can be written here")


AS_OTHER = "version: 1\ncommands: {as: %s}\n" % OTHER


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


def main():
    # Other users go into the folders of these tests.
    if os.environ.get("TMPDIR", "").startswith("/tmp/rung-suite-"):
        os.chmod(os.environ["TMPDIR"], 0o755)
    failed = 0
    for t in TESTS:
        if sys.argv[1:] and t.__name__ not in sys.argv[1:]:
            continue
        began = time.monotonic()
        try:
            t()
            print("ok - %s # %.1f s" % (t.__name__, time.monotonic() - began), flush=True)
        except Skip as e:
            print("ok - %s # skip %s" % (t.__name__, e), flush=True)
        except Exception as e:
            failed += 1
            print("not ok - %s: %s: %s" % (t.__name__, type(e).__name__, str(e)[:1500]), flush=True)
    return 1 if failed else 0


sys.exit(main())
