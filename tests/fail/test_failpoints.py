#!/usr/bin/env python3
"""At every place of engine/base/failpoint.h some process dies, stops for a moment, or is told that what it does there failed; the engine is started again, the execution
taken up, what is unknown answered by looking into the file that the commands append to. Then what DESIGN promises must hold: no line of a `once` call twice, no line
without a stored intent, nothing acknowledged lost, every interrupted call found, nothing left running, and a journal that verifies.

First each scenario runs untouched, and the places that it passes are counted: a place that none passes is a failure. Then each place once, with one of its actions:
SEED=n draws them (21 in every check; the long loop draws others). ANYWHERE=1 draws scenarios evenly (the long loop; else the quick ones come more often), PLACES="a b" only these, ONLY="cancelled" in these scenarios, ACTIONS="die stop fail";
EVERY=1 draws nothing: each of these at each passing in turn. TAP-like lines; exit status.

limit: 500"""
import contextlib, http.client, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, threading, time, urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import alertworld
import failbook
import host
import rungclient as r
from failtable import Table
from oracle import Journal, alive
from world import same

ANYWHERE = os.environ.get("ANYWHERE") == "1"
EVERY = os.environ.get("EVERY") == "1"
SEED = int(os.environ.get("SEED", "21"))
PLACES = os.environ.get("PLACES", "").split()
ONLY = os.environ.get("ONLY", "").split()
ACTIONS = os.environ.get("ACTIONS", "die stop fail").split()
ENDS = ("succeeded", "failed", "diverged", "cancelled", "timed_out")
OTHERS = ("bin", "sys")  # who agree; Debian has both
POLICY = """version: 1
groups: {others: [bin, sys], many: [bin, sys, games]}
rules:
  - {id: root, allow: [run, read], who: ["user:root"], books: ["**"], grants: ["sh sh -c *", "sh /nonexistent/program", "secret token"]}
  - {id: look, allow: [read], who: [group:others], books: ["**"]}
  - {id: two, require: {approvals: 2, from: group:%s}, when: {risk: destructive}}
"""
ALERTS = """version: 1
sources: {probe: {kind: generic, bearer: {secret: token}}}
defaults: {as: bot}
bindings:
  - {id: late, match: {kind: late}, playbook: playbooks/late.md, cooldown: 0s, breaker: false, runs: false}
  - {id: run, match: {kind: run}, playbook: playbooks/run.md, cooldown: 0s, breaker: false, runs: false, parameters: {line: {label: line}}}
  - {id: gone, match: {kind: gone}, playbook: playbooks/gone.md, breaker: false, runs: false}
"""
ALERT_POLICY = """version: 1
services: {bot: {max_running: 50}}
rules:
  - {id: bot, allow: [run], who: ["service:bot"], books: ["playbooks/**", "runbooks/**"], grants: ["sh sh -c *", "runbook **"]}
  - {id: root, allow: [run, read, respond], who: ["user:*"], books: ["**"], grants: ["sh sh -c *"]}
"""
random.seed(SEED)


def state_of(pid):
    """A process's state, as proc(5) has it; X: it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


class World:
    """A workspace with an engine that is killed and started again, and one execution behind the other."""

    def __init__(self, name):
        self.folder = tempfile.mkdtemp(prefix="rung-fail-")
        os.chmod(self.folder, 0o755)
        if not os.stat(os.path.dirname(self.folder)).st_mode & 0o001:
            os.chmod(os.path.dirname(self.folder), 0o711)  # others come through it to the socket
        self.is_governed = name == "approval"
        self.oracle = os.path.join(self.folder, "oracle")
        self.books = failbook.write(self.folder)
        self.shared = os.path.join(self.folder, "shared.sock")
        config = "version: 1\n" + ("socket: {path: %s, group: users}\n" % self.shared if self.is_governed else "")
        self.table = Table(os.path.join(self.folder, "table"), os.path.abspath(os.path.join(r.BUILD, "rung")))
        self.engine = host.Engine(self.folder, r.BUILD, config, host.IN_GROUPS if name == "groups" else [], {"RUNG_FAIL_TABLE": self.table.path})
        self.write("secrets.yaml", "version: 1\nsecrets:\n  token: {file: %s}\n" % os.path.join(self.folder, "token"))
        with open(os.open(os.path.join(self.folder, "token"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
            f.write("not to be seen\n")
        self.client = self.armed = self.waker = self.x = None
        self.options = self.on_call() if name == "paged" else []
        if name in ("alerts", "late"):
            self.write("alerts.yaml", ALERTS)
            self.write("policy.yaml", ALERT_POLICY)
            os.makedirs(os.path.join(self.folder, "playbooks"))
            with open(os.path.join(self.folder, "playbooks", "run.md"), "w") as f:
                f.write(alertworld.playbook("Run", 'sh("echo " .. params.line .. " >> %s", {effect = "idempotent"})' % self.oracle, parameters=("line",)))
            with open(os.path.join(self.folder, "playbooks", "late.md"), "w") as f:
                f.write(alertworld.playbook("Late", 'cause("late")', parameters=()) + "\n\n## Root Causes\n\n| Cause | Runbook | Mode | Parameters | Within |\n|---|---|---|---|---|\n"
                        "| `late` | runbooks/mend.md | automatic | | 1s |\n")
            os.makedirs(os.path.join(self.folder, "runbooks"))
            with open(os.path.join(self.folder, "runbooks", "mend.md"), "w") as f:
                f.write(alertworld.playbook("Mend", "return {}", parameters=()).replace("## Diagnosis", "## Steps"))

    def on_call(self):
        """Two levels whose pager keeps what it gets, and links that lead to this engine: its options."""
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        pager = os.path.join(self.folder, "pager")
        with open(os.open(pager, os.O_CREAT | os.O_WRONLY, 0o755), "w") as f:
            f.write("#!/bin/sh\ncat >> %s\n" % os.path.join(self.folder, "pages"))
        person = "{channels: [{command: [%s]}, {command: [%s]}, {command: [%s]}]}" % (pager, pager, pager)
        self.write("oncall.yaml", "version: 1\npeople: {ana: %s, bo: %s}\npolicies: {web: {levels: [{who: ana, wait: 1s}, {who: bo, wait: 60s}]}}\ndefaults: {policy: web}\n" % (person, person))
        self.write("config.yaml", "version: 1\nhttp: {public: \"http://127.0.0.1:%d\"}\n" % self.port)
        self.books["paged"] = os.path.join(self.folder, "paged.md")
        with open(self.books["paged"], "w") as f:
            f.write('# Paged\n\n## Parameters\n\n| Name | Type |\n|---|---|\n| oracle | string |\n\n## Steps\n\n1. Fail\n\n   ```lua {id=fails}\n   fail("nothing helps")\n   ```\n')
        return ["--serve", "http", "--listen", "127.0.0.1:%d" % self.port]

    def pages(self, person):
        try:
            with open(os.path.join(self.folder, "pages")) as f:
                return [p for p in map(json.loads, f) if p["person"] == person and p["execution"] == self.x]
        except FileNotFoundError:
            return []

    def write(self, name, text):
        with open(os.path.join(self.folder, ".rung", name), "w") as f:
            f.write(text)

    def end(self):
        self.table.clear()
        if self.engine.process:
            self.engine.stop()
            self.verify()
        with open(os.path.join(self.folder, "engine.log")) as f:
            log = f.read()
        assert "Sanitizer" not in log and "runtime error" not in log, log[-3000:]
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- the engine

    def arm(self):
        """From now on what was asked for can happen."""
        self.table.clear()
        if self.armed:
            self.table.ask(*self.armed)
            if self.armed[1] == "stop":
                self.is_disarmed = threading.Event()
                self.waker = threading.Thread(target=self.wake, args=(self.armed[0], self.is_disarmed), daemon=True)
                self.waker.start()

    def wake(self, place, is_disarmed):
        """A thread: what was made to stop goes on after a moment, in which others went on without it."""
        pid = 0
        while not pid:
            is_last = is_disarmed.wait(0.003)
            pid = self.table.happened(place)
            if is_last and not pid:
                return
        r.deadline(20, "process %d to stop" % pid, lambda: state_of(pid) in "TZX", 0.002)
        time.sleep(0.03)
        with contextlib.suppress(ProcessLookupError):  # ended meanwhile by whoever waited for it
            os.kill(pid, signal.SIGCONT)

    def disarm(self):
        """Nothing can happen any more, and what did, perhaps behind the end of the scenario, is over: who was to die is dead, who was stopped goes on. True: it did."""
        place, action, _ = self.armed
        end = time.monotonic() + 0.5
        while not self.table.happened(place) and time.monotonic() < end:
            time.sleep(0.005)  # an actor, say, ends a moment after its execution
        self.table.disarm(place)
        pid = self.table.happened(place)
        if self.waker:
            self.is_disarmed.set()
            self.waker.join()
        if action == "die" and pid:
            r.deadline(20, "process %d to be dead" % pid, lambda: state_of(pid) in "ZX", 0.002)
            if pid == self.engine.process.pid:
                self.again()
        self.armed, self.waker, self.is_expected_down = None, None, False
        self.table.clear()
        return bool(pid)

    def has_happened(self):
        return bool(self.armed and self.table.happened(self.armed[0]))

    def try_start(self):
        """Starts the engine; False where it died of what was asked for, or refused."""
        a, b = os.pipe()
        os.set_blocking(a, False)
        e = self.engine
        e.process = subprocess.Popen(e.prefix + [e.program, "engine", "--state", e.state, "--ready-fd", str(b)] + self.options, pass_fds=[b], stdin=subprocess.DEVNULL, stdout=e.log,
                                     stderr=e.log, start_new_session=True, env=e.environment())
        os.close(b)
        said = b""

        def heard():
            nonlocal said
            try:
                got = os.read(a, 4096)
                said += got
                return not got
            except BlockingIOError:
                return False
        r.deadline(30, "engine to start or say why not", heard, 0.002)
        os.close(a)
        if said == b"ready\n":
            return True
        assert self.has_happened(), "the engine did not start: %r" % said
        self.engine.process.wait(20)
        return False

    def start(self):
        if not self.try_start():
            assert self.try_start(), "the engine does not start after %r" % (self.armed,)
        try:
            self.client = self.engine.client()
        except OSError:
            # It was ready, and what it took up at once was what it was asked to fail at.
            r.deadline(20, "engine to be gone", self.is_down, 0.002)
            assert self.has_happened() and self.try_start(), "the engine ended by itself (status %r)" % self.engine.process.returncode
            self.client = self.engine.client()

    def is_down(self):
        return self.engine.process.poll() is not None

    def stop(self):
        """Asked to end, as by a service manager."""
        self.client.close()
        self.engine.process.terminate()
        r.deadline(30, "engine to end", self.is_down, 0.002)

    def verify(self):
        v = subprocess.run([self.engine.program, "verify", "--state", self.engine.state], env=r.Engine.environment(self.engine), stdin=subprocess.DEVNULL,
                           capture_output=True, text=True)
        assert v.returncode == 0, v.stdout + v.stderr

    # --- alerts

    def deliver(self, *alerts):
        """As a source does: again until it is answered. The decisions."""
        body = json.dumps([dict({"starts_at": 1700000000, "state": "firing"}, **a) for a in alerts]).encode()
        while True:
            try:
                return self.client.ask("alerts.receive", body, source="probe", headers={})["decisions"]
            except r.Closed:
                self.again()
            except r.Refused as e:
                assert self.is_failing() or e.kind == "full", e

    def ask(self, op, **args):
        while True:
            try:
                return self.client.ask(op, **args)
            except r.Closed:
                self.again()

    # --- an execution

    def begin(self, book):
        self.book = book
        with open(self.oracle, "w"):
            pass
        self.told, self.answers, self.notes, self.x, self.must_succeed = set(), {}, [], None, True
        while self.x is None:
            try:
                self.x = self.client.ask("run", book=self.books[book], mode="auto", declared=not self.is_governed, params={"oracle": self.oracle})["execution"]
            except r.Closed:
                self.again()
            except r.Refused:
                assert self.is_failing(), "it was refused"
        self.journal = Journal(self.engine.state, self.x, failbook.key_of)

    def is_failing(self):
        return bool(self.armed) and self.armed[1] == "fail" and self.has_happened()

    def again(self):
        """The engine has gone: what is stored is whole, and the next one takes the execution up."""
        r.deadline(20, "engine to be gone", self.is_down, 0.002)
        assert self.has_happened() or self.is_expected_down, "the engine ended by itself (status %r)" % self.engine.process.returncode
        self.client.close()
        self.verify()
        if self.x:
            self.look()
        self.start()
        if self.x:
            self.take_up()

    def take_up(self):
        try:
            view = self.client.ask("attach", execution=self.x)
            if view["interrupted"] and view["state"] not in ENDS:
                self.client.ask("resume", execution=self.x)
        except r.Refused as e:
            assert self.is_failing(), e  # asked again at the next turn
        except r.Closed:
            self.again()

    def go(self, is_free):
        """The slow commands come to their end, or not yet."""
        if is_free:
            with open(self.oracle + ".go", "w"):
                pass
        elif os.path.exists(self.oracle + ".go"):
            os.unlink(self.oracle + ".go")

    def lines(self):
        with open(self.oracle) as f:
            return f.read().split("\n")[:-1]

    def look(self):
        lines = self.lines()
        self.journal.read()
        bare = [l for l in lines if l not in self.journal.known()]
        assert not bare, "lines without a stored intent: %r" % bare
        missing = self.told - {(x["s"], x["a"], x["c"]) for x in self.journal.of("call.finished")}
        assert not missing, "outcomes that were told are not stored: %r" % missing
        assert len(self.journal.of("note.added")) >= len(self.notes), "a note that was acknowledged is not stored"

    def person(self, op, **args):
        try:
            self.client.ask(op, execution=self.x, **args)
            return True
        except r.Refused as e:
            assert e.kind in ("conflict", "not_found") or self.is_failing(), e
            return False

    def resolve(self, s):
        """The oracle says what became of the unknown calls of a step."""
        self.journal.read()
        lines = self.lines()
        unknown = [c for c in s["calls"] if c["attempt"] == s["attempt"] and c["state"] == "unknown"]
        keys = [self.journal.keys.get((s["id"], c["attempt"], c["call"])) for c in unknown]
        is_made = any(k and k[0] in lines for k in keys)
        self.person("resolve", step=s["id"], answer="done" if is_made else "again", reason="the oracle was asked", **({"result": {}} if is_made else {}))

    def act(self, view):
        for s in view["steps"]:
            for c in s["calls"]:
                if c["state"] in ("ok", "failed"):
                    self.told.add((s["id"], c["attempt"], c["call"]))
            if s["waiting"] == "resolve":
                self.resolve(s)
            elif s["waiting"] == "person":
                self.person("settle", step=s["id"], outcome="succeeded")
            elif s["waiting"] == "approval":
                self.agree()
        for q in view["questions"]:
            self.answers.pop(q["step"], None)
            if self.person("answer", step=q["step"], call=q["call"], value="seven"):
                self.answers[q["step"]] = "seven"

    def as_other(self, name):
        import grp, pwd
        os.setegid(grp.getgrnam("users").gr_gid)
        os.seteuid(pwd.getpwnam(name).pw_uid)
        try:
            return r.Client(None, self.shared)
        except OSError:
            raise r.Closed()
        finally:
            os.seteuid(0)
            os.setegid(0)

    def agree(self):
        for name in OTHERS:
            other = self.as_other(name)
            try:
                shown = other.ask("approval.show", execution=self.x)
                other.ask("approve", execution=self.x, step=shown["step"], binding=shown["binding"], reason="yes", targets=len(shown["targets"] or []))
                if name == OTHERS[0] and not self.is_changed:
                    self.is_changed = True  # what they agree to is not what is asked any more: it is asked anew
                    self.write("policy.yaml", POLICY % "many")
            except r.Refused as e:
                assert e.kind in ("conflict", "denied") or self.is_failing(), e
            finally:
                other.close()

    def turn(self):
        """One look at the execution, and what a person does about it; its view."""
        try:
            view = self.client.ask("attach", execution=self.x)
            if view["state"] not in ENDS:
                if view["interrupted"]:
                    self.take_up()
                self.act(view)
            self.look()
            return view
        except r.Refused as e:
            assert self.is_failing(), e
        except r.Closed:
            self.again()

    def finish(self):
        """Goes on until the execution is over, then judges it."""
        def is_over():
            view = self.turn()
            return view if view and view["state"] in ENDS else None
        view = r.deadline(60, "execution to end", is_over, 0.01)
        self.judge(view)

    def judge(self, view):
        r.deadline(15, "nothing of the execution to run", lambda: not alive(self.x))
        self.look()
        self.journal.check_leases()
        effects, lines = dict(self.journal.keys.values()), self.lines()
        # A step that somebody settled as done has no `go`: nothing is skipped by it.
        is_settled = any(x["d"].get("why") == "resolved" for x in self.journal.of("step.settled"))
        for line in set(lines):
            assert lines.count(line) == 1 or effects[line] == "idempotent", "%s was made %d times" % (line, lines.count(line))
            assert is_settled or line.split(":")[0] not in failbook.SKIPPED.get(self.book, ()), "%s, of a step that is skipped" % line
        asked = {(x["s"], x["a"], x["c"]) for x in self.journal.of("call.started")}
        known = {(x["s"], x["a"], x["c"]) for x in self.journal.of("call.finished", "call.unknown")}
        assert asked <= known, "calls of which nobody knows: %r" % (asked - known)
        why = [(s["id"], s["state"], s["why"]) for s in view["steps"] if s["state"] not in ("succeeded", "skipped")]
        is_command_killed = bool(self.armed) and self.armed[:2] == ("hand.exec", "die")  # its outcome is known: ended by a signal
        if self.must_succeed and not self.is_failing() and not is_command_killed:
            assert view["state"] == "succeeded", "it ended %s: %r" % (view["state"], why)
        if view["state"] == "succeeded":
            for s in view["steps"]:
                if s["id"] in self.answers and s["result"] and "value" in s["result"]:
                    assert s["result"]["value"] == self.answers[s["id"]], s["result"]

    is_expected_down = is_changed = False
    is_disarmed = None
    uses = 0


# --- scenarios: each passes some places between w.arm() and its end

SCENARIOS = {}


def scenario(f):
    SCENARIOS[f.__name__] = f
    return f


def prepared(w):
    """An engine that is up before anything shall happen."""
    if not w.client:
        w.start()


@scenario
def whole(w):
    """A run from its start to its end, with a person who answers."""
    prepared(w)
    w.arm()
    w.begin("whole")
    try:
        w.notes += [1] if w.person("note", text="seen") else []
    except r.Closed:
        w.again()
    w.finish()


@scenario
def groups(w):
    """The same where commands have a control group."""
    prepared(w)
    w.arm()
    w.begin("quick")
    w.finish()


def under_way(w):
    """A run whose three slow commands have printed something."""
    prepared(w)
    w.go(False)
    w.begin("slow")

    def is_slow():
        w.turn()
        begun = {l.split(":")[0] for l in w.lines()} - {"s0"}  # a step whose worker was lost on a busy machine may have begun twice
        return len(begun) == 3 and len([n for n in os.listdir(os.path.join(w.engine.state, "spool")) if n.startswith(w.x)]) >= 3
    try:
        r.deadline(20, "slow commands under way", is_slow, 0.005)
    except AssertionError as e:
        steps = [(s["id"], s["state"], s["waiting"], s["why"], [(c["attempt"], c["call"], c["state"]) for c in s["calls"]]) for s in w.client.ask("attach", execution=w.x)["steps"]]
        raise AssertionError("%s: %r, lines %r, spools %r" % (e, steps, w.lines(), os.listdir(os.path.join(w.engine.state, "spool"))))


@scenario
def recovered(w):
    """The engine is killed while commands run; the next one takes the execution up."""
    under_way(w)
    w.arm()
    w.is_expected_down = True
    w.engine.kill()
    w.go(True)
    w.again()
    w.finish()


@scenario
def actor_lost(w):
    under_way(w)
    w.arm()
    for pid in w.engine.children():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                if b"actor\0" in f.read():
                    os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    w.go(True)
    w.finish()


@scenario
def worker_lost(w):
    under_way(w)
    w.arm()
    names = []
    for pid in w.engine.children():
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                names += [pid] if b"rung-forkd" in f.read() else []
        except OSError:
            pass
    os.kill(names[1], signal.SIGKILL)  # the first is the fork server itself
    w.go(True)
    w.finish()


@scenario
def cancelled(w):
    under_way(w)
    w.must_succeed = False
    w.arm()
    try:
        w.person("cancel", reason="enough")
    except r.Closed:
        w.again()
    w.go(True)
    w.finish()


@scenario
def stopped(w):
    """The engine is asked to end while commands run."""
    under_way(w)
    w.arm()
    w.is_expected_down = True
    w.stop()
    w.go(True)
    w.again()
    w.finish()


@scenario
def fresh(w):
    """The first start of an engine in an empty state directory, and a run."""
    w.arm()
    w.start()
    w.begin("quick")
    w.finish()


@scenario
def set_aside(w):
    """A log is set aside and a new one begun. Whatever is left half done, once more brings it to an end, and nothing is deleted."""
    prepared(w)
    w.begin("quick")
    w.finish()
    w.stop()
    w.arm()
    command = [w.engine.program, "init", "--new-log", "--reason", "moved"]
    for _ in range(2):
        p = subprocess.Popen(command, cwd=w.folder, env=w.engine.environment(), stdin=subprocess.DEVNULL, stdout=w.engine.log, stderr=w.engine.log)
        r.deadline(120, "rung init to end", lambda: p.poll() is not None, 0.002)
        if p.returncode == 0:
            break
        assert w.has_happened(), "rung init ended with %d" % p.returncode
    assert p.returncode == 0, "rung init --new-log does not come to an end once it was interrupted (status %d)" % p.returncode
    kept = [n for n in os.listdir(w.engine.state) if n.startswith("store.db.aside")]
    assert kept, "the old log is gone: %r" % os.listdir(w.engine.state)
    w.start()
    w.verify()
    w.begin("quick")
    w.finish()


@scenario
def approval(w):
    """A step to which two others must agree; what they agree to changes on the way."""
    if not w.client:
        w.write("policy.yaml", POLICY % "others")
        prepared(w)
    w.write("policy.yaml", POLICY % "others")
    w.is_changed = False
    w.arm()
    w.begin("agreed")
    w.finish()


@scenario
def alerts(w):
    """Of two alerts one starts a playbook, the other one's is not there; the engine dies when both are decided, and nothing has begun; the source repeats both. Then both
    are over. What was answered is stored, and each had one execution."""
    prepared(w)
    w.x = None
    run = {"id": "run-%d" % w.uses, "name": "Run", "labels": {"kind": "run", "line": "line-%d-%d" % (w.uses, time.monotonic_ns())}}
    gone = {"id": "gone-%d" % w.uses, "name": "Gone", "labels": {"kind": "gone"}}
    started = {run["id"]: set(), gone["id"]: set()}
    w.arm()
    if not w.armed or w.armed[0] != "intake.start":
        w.table.ask("intake.start", "die", 1)
    w.is_expected_down = True
    for _ in range(3):
        for a, d in zip((run, gone), w.deliver(run, gone)):
            started[a["id"]] |= {d["execution"]} if d["outcome"] == "starts" else set()
    w.table.disarm("intake.start") if not w.armed or w.armed[0] != "intake.start" else None

    def ended():
        shown = [w.ask("incident.show", incident=d["incident"]) for d in w.deliver(run, gone)]
        return shown if not any(i["running"] for i in shown) else None
    shown = r.deadline(60, "what the alerts started to end", ended, 0.02)
    for a, i in zip((run, gone), shown):
        same([len(i["executions"]), i["state"]], [1, "open"])
        assert started[a["id"]] <= {i["executions"][0]["execution"]}, "%r was answered, %r is stored" % (started[a["id"]], i["executions"])
    same(shown[1]["executions"][0]["state"], "invalid")
    w.deliver(dict(run, state="resolved"), dict(gone, state="resolved"))
    for i in shown:
        same(w.ask("incident.show", incident=i["incident"])["state"], "resolved")
    w.verify()


def child_of(w):
    """The view of the runbook that the playbook has started, or None. There is one, however often the engine ends."""
    view = w.turn()
    if not view:
        return None
    children = view["children"]
    assert len({c["execution"] for c in children}) <= 1, "it was started twice: %r" % children
    try:
        return w.client.ask("attach", execution=children[0]["execution"]) if children and children[0]["state"] else None
    except r.Refused as e:
        assert w.is_failing() or e.kind == "not_found", e  # decided, and not begun
    except r.Closed:
        w.again()


def answer_child(w):
    """Says what the runbook asks, until it is over."""
    def is_over():
        child = child_of(w)
        try:
            for q in child["questions"] if child else ():
                w.client.ask("answer", execution=child["execution"], step=q["step"], call=q["call"], value="seven")
        except r.Refused as e:
            assert e.kind in ("conflict", "not_found") or w.is_failing(), e
        except r.Closed:
            w.again()
        return child if child and child["state"] in ENDS else None
    return r.deadline(60, "the runbook to end", is_over, 0.01)


def judge_child(w, child):
    """What became of the playbook is what became of its runbook."""
    w.finish()
    with open(w.oracle + ".child") as f:
        made = set(f.read().split())
    assert made == {child["execution"]}, "%r is not by %s alone" % (made, child["execution"])
    same([x["d"]["outcome"] for x in w.journal.of("playbook.concluded")], ["mended" if child["state"] == "succeeded" else "failed"])
    if not w.is_failing():
        same(child["state"], "succeeded")
    os.unlink(w.oracle + ".child")


@scenario
def family(w):
    """A playbook finds a cause, and its runbook, an execution of its own, asks a person."""
    prepared(w)
    w.arm()
    w.begin("family")
    judge_child(w, answer_child(w))


@scenario
def family_lost(w):
    """The engine is killed while the runbook waits; the next one takes up both."""
    prepared(w)
    w.begin("family")
    r.deadline(30, "the runbook to wait", lambda: (child_of(w) or {}).get("questions"), 0.01)
    w.arm()
    w.is_expected_down = True
    w.engine.kill()
    w.again()
    judge_child(w, answer_child(w))


@scenario
def family_stopped(w):
    """A playbook is cancelled while its runbook waits."""
    prepared(w)
    w.begin("family")
    w.must_succeed = False
    r.deadline(30, "the runbook to wait", lambda: (child_of(w) or {}).get("questions"), 0.01)
    w.arm()

    def said():
        try:
            return w.person("cancel", reason="enough") or (w.turn() or {}).get("state") in ENDS
        except r.Closed:
            w.again()
    r.deadline(30, "it to be cancelled", said, 0.01)
    w.finish()
    child = r.deadline(30, "the runbook", lambda: child_of(w), 0.01)

    def child_over():
        view = w.client.ask("attach", execution=child["execution"])
        for op in ("resume", "cancel") if view["state"] not in ENDS else ():
            with contextlib.suppress(r.Refused):
                w.client.ask(op, execution=child["execution"], reason="enough")
        return view["state"] in ENDS and view
    if w.is_failing():
        # What was to be recorded of it may have been refused: it stands as it is stored, until somebody takes it up.
        child = r.deadline(30, "the runbook to end", child_over, 0.01)
    same(child["state"], "cancelled")


@scenario
def late(w):
    """What was to mend an alert's cause has run, and the alert fires on: somebody is told, once. Then it is over."""
    prepared(w)
    w.x = None
    alert = {"id": "late-%d-%d" % (w.uses, time.monotonic_ns()), "name": "Late", "labels": {"kind": "late"}}
    w.arm()
    (d,) = w.deliver(alert)

    def told():
        i = w.ask("incident.show", incident=d["incident"])
        return i.get("raised")
    r.deadline(60, "somebody to be told", told, 0.02)
    w.deliver(dict(alert, state="resolved"))
    same(w.ask("incident.show", incident=d["incident"])["state"], "resolved")
    w.verify()


def press(w, link):
    """The button of a link: its status, or None where the engine has gone meanwhile."""
    u = urllib.parse.urlsplit(link)
    c = http.client.HTTPConnection(u.hostname, u.port, timeout=20)
    try:
        c.request("POST", u.path, headers={"Content-Length": "0"})
        return c.getresponse().status
    except (OSError, http.client.HTTPException):
        if not w.is_down():
            r.deadline(5, "engine to be gone", w.is_down, 0.002)
        w.again()
    finally:
        c.close()


@scenario
def paged(w):
    """A step fails, and two levels are reached one after the other, the second under another engine; it acknowledges by its link. Nobody gets a notification twice."""
    prepared(w)
    w.arm()
    w.begin("paged")
    w.must_succeed = False

    def reached(person):
        if w.is_down():
            w.again()
        w.turn()
        return w.pages(person)
    r.deadline(60, "ana to be reached", lambda: reached("ana"), 0.01)
    w.is_expected_down = True
    w.engine.kill()
    w.again()
    page = r.deadline(60, "bo to be reached", lambda: reached("bo"), 0.01)[0]
    r.deadline(60, "the link to acknowledge", lambda: press(w, page["link"]) in (200, 409), 0.01)
    w.finish()
    shown = w.ask("incident.show", incident=page["incident"])
    same([shown["state"], shown["acknowledged_by"]], ["acknowledged", "user:bo"])
    keys = [p["key"] for person in ("ana", "bo") for p in w.pages(person)]
    same(sorted(set(keys)), sorted(keys))


NEEDS_ROOT = ("groups", "approval")
QUICK = ("alerts", "paged", "family", "family_lost", "groups", "cancelled", "approval", "worker_lost", "actor_lost")
ONE_EACH = ("fresh", "set_aside")  # a world of its own each time
WORLDS_MAX, USES_MAX = 4, 40  # each has a reserve of 64 MiB; and a journal that is verified at each death


def survey():
    """How often each scenario passes each place, and how long it takes."""
    counts, took = {}, {}
    for name, f in SCENARIOS.items():
        if (name in NEEDS_ROOT and os.geteuid() != 0) or (ONLY and name not in ONLY):
            continue
        w, started = World(name), time.monotonic()
        try:
            f(w)
            took[name] = time.monotonic() - started
            counts[name] = {place: n for place, n in w.table.passed().items() if n}
            w.end()
        except (AssertionError, r.Refused, r.Closed) as e:
            print("not ok - untouched, %s does not hold: %s: %s (%s)" % (name, type(e).__name__, str(e)[:1200], w.folder), flush=True)
            w.engine.stop()
            sys.exit(1)
    return counts, took


class Worlds:
    """One for each scenario, kept as long as all goes well."""

    def __init__(self):
        self.kept = {}

    def get(self, name):
        return self.kept.pop(name, None) or World(name)

    def keep(self, name, w):
        if name in ONE_EACH or w.uses == USES_MAX or len(self.kept) == WORLDS_MAX:
            w.end()
        else:
            self.kept[name] = w

    def end(self):
        for w in self.kept.values():
            w.end()


def attempt(worlds, place, action, scenario_name, at):
    """True: it happened, and all held. None: the place was not passed so often this time."""
    w = worlds.get(scenario_name)
    w.armed = (place, action, at)
    try:
        SCENARIOS[scenario_name](w)
        happened = w.disarm()
        w.uses += 1
    except BaseException:
        w.table.clear()
        print("# kept: %s" % w.folder)
        if w.engine.process and w.engine.process.poll() is None:
            w.engine.process.send_signal(signal.SIGCONT)
            w.engine.stop()
        raise
    worlds.keep(scenario_name, w)
    return True if happened else None


def every(worlds, place, possible, by, counts, done):
    """At each passing of each scenario in turn, as long as there is one. How many faults were found."""
    failed = 0
    for action, name, at in [(a, s, i) for a in possible for s in by for i in range(1, counts[s][place] + 1)]:
        started = time.monotonic()
        try:
            if not attempt(worlds, place, action, name, at):
                print("ok - %s: %s at %d of %s # skip it was not passed so often this time" % (place, action, at, name), flush=True)
                continue
            done[action] += 1
            print("ok - %s: %s at %d of %s (%.1f s)" % (place, action, at, name, time.monotonic() - started), flush=True)
        except Exception as e:
            failed += 1
            print("not ok - %s: %s at %d of %s: %s: %s" % (place, action, at, name, type(e).__name__, str(e)[:1200]), flush=True)
    return failed


def places(worlds, probe, counts, done):
    """Every place that was asked for; how many faults were found."""
    failed = 0
    for place, _, _ in probe.places:
        if PLACES and place not in PLACES:
            continue
        by = [s for s in counts if counts[s].get(place)]
        if not by and os.geteuid() != 0 and place.split(".")[0] in ("group", "approval"):
            print("ok - %s # skip needs root" % place)
            continue
        if not by and ONLY:
            continue
        if not by:
            failed += 1
            print("not ok - %s: no scenario passes it" % place, flush=True)
            continue
        possible = [a for a in ACTIONS if a != "fail" or probe.may_fail(place)]
        if not possible:
            continue
        if EVERY:
            failed += every(worlds, place, possible, by, counts, done)
            continue
        action = random.choices(possible, [{"die": 2, "stop": 1, "fail": 2}[a] for a in possible])[0]
        name = random.choices(by, [8 if s in QUICK and not ANYWHERE else 1 for s in by])[0]
        at = random.randint(1, counts[name][place])
        started = time.monotonic()
        try:
            # What depends on who was first is not passed each time: then another scenario, at its first passing.
            others = [s for s in sorted(by, key=lambda s: -counts[s][place]) if s != name]
            got = attempt(worlds, place, action, name, at) or any(attempt(worlds, place, action, s, 1) for s in [name] + others)
            assert got, "it was not passed"
            done[action] += 1
            print("ok - %s: %s at %d of %s (%.1f s)" % (place, action, at, name, time.monotonic() - started), flush=True)
        except Exception as e:
            failed += 1
            print("not ok - %s: %s at %d of %s (SEED=%d): %s: %s" % (place, action, at, name, SEED, type(e).__name__, str(e)[:1200]), flush=True)
    return failed


def main():
    print("# seed %d" % SEED, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    counts, took = survey()
    print("# untouched, in s: %s" % ", ".join("%s %.1f" % pair for pair in took.items()), flush=True)
    folder = tempfile.mkdtemp(prefix="rung-fail-")
    probe = Table(os.path.join(folder, "table"), os.path.abspath(os.path.join(r.BUILD, "rung")))
    shutil.rmtree(folder)
    done, worlds, failed = {a: 0 for a in ACTIONS}, Worlds(), 1
    try:
        failed = places(worlds, probe, counts, done)
    finally:
        worlds.end()
    print("# %d failpoints happened (%r), of %d places, %d faults, seed %d" % (sum(done.values()), done, len(probe.places), failed, SEED))
    return 1 if failed else 0


sys.exit(main())
