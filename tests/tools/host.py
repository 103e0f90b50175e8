"""A host with an engine that is configured, and perhaps of another user, and what its processes are: for tests of actors, commands and users."""
import os, pwd, shutil, subprocess, sys, tempfile, time

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


def memory_of(pid):
    """What a process has written to its memory, where this user may look."""
    out = bytearray()
    try:
        with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
            for line in maps:
                place, rights = line.split()[:2]
                start, end = (int(x, 16) for x in place.split("-"))
                if not rights.startswith("rw") or end - start > 64 << 20:
                    continue
                try:
                    mem.seek(start)
                    out += mem.read(end - start)
                except (OSError, ValueError):
                    pass
    except OSError:
        return None
    return bytes(out)


def everything_stored(w):
    """The bytes of all files that an engine wrote: {path: bytes}."""
    out = {}
    for folder, _, names in os.walk(w.engine.state):
        for name in names:
            path = os.path.join(folder, name)
            if name != "reserve" and os.path.isfile(path):
                with open(path, "rb") as f:
                    out[os.path.relpath(path, w.folder)] = f.read()
    with open(w.path("engine.log"), "rb") as f:
        out["engine.log"] = f.read()
    return out


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


def run_host_tests(tests):
    """Runs those that the command line names, or all; one that raises Skip was skipped. TAP-like lines; gives the exit status."""
    # Other users go into the folders of these tests.
    if "/rung-suite-" in os.environ.get("TMPDIR", ""):
        os.chmod(os.environ["TMPDIR"], 0o755)
    failed = 0
    for t in tests:
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
