#!/usr/bin/env python3
"""kill -9 (or a stop for some milliseconds) of the engine, a worker, an actor, the fork server or all of them, at random moments: while steps run, while an engine
takes an execution up, while a person answers, resolves and cancels. Over a book of 20 steps (killbook.py) whose commands append a line to a file outside.
Proves what an execution promises: at any moment no line without a durable intent; no line twice for a `once` call; no outcome and no answer lost; answers in the
order of their outcomes, run again too; nothing settled while anything of a dead engine runs; no line after the end; and a journal that verifies after every kill.

KILLS=n kills (30; the long loop has 100 with each of many seeds), KILLS_A_LOG=n of them in one state directory (all: each verify then reads all before), SEED=n, WHAT="engine worker ...". Prints the seed, which draws the moments; TAP-like lines; exit
status."""
import contextlib, os, random, shutil, signal, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import killbook
import rungclient as r
from oracle import Journal, alive

KILLS = int(os.environ.get("KILLS", "30"))
KILLS_A_LOG = int(os.environ.get("KILLS_A_LOG", "0")) or KILLS
SEED = int(os.environ.get("SEED", str(int(time.time()))))
WHAT = os.environ.get("WHAT", "engine engine engine engine worker actor forkd all stop stop").split()
KILLS_A_SECOND = 12
ENDS = ("succeeded", "failed", "diverged", "cancelled", "timed_out")
# A process that is lost too often ends its step, and says so.
LOST = ("the process that runs commands ended", "the worker ended", "the fork server ends")
random.seed(SEED)
print("# seed %d, %d kills" % (SEED, KILLS), flush=True)


class Run:
    """One engine, killed and started again; one execution behind the other."""

    def __init__(self, most):
        self.folder = tempfile.mkdtemp(prefix="rung-kill-")
        self.oracle = os.path.join(self.folder, "oracle")
        self.book = killbook.write(self.folder)
        self.engine = r.Engine(self.folder).start()
        self.client = self.engine.client()
        self.kills, self.most = 0, most
        self.killing = threading.Lock()
        self.counts = {what: 0 for what in ("engine", "worker", "actor", "forkd", "all", "stop")}
        self.resolved = {"again": 0, "done": 0, "failed": 0}
        self.ends = {}
        self.orders = 0

    # --- kills

    def victims(self, what):
        def named(mark):
            out = []
            for k in self.engine.children():
                try:
                    with open("/proc/%d/cmdline" % k, "rb") as f:
                        if mark in f.read():
                            out.append(k)
                except OSError:
                    pass
            return out
        boxes, actors = named(b"rung-forkd"), named(b"actor\0")
        # What an actor has cloned is called as it is until it becomes a command, whose end by a signal is an outcome like another.
        actors = [k for k in actors if self.parent(k) not in actors]
        kinds = {"actor": actors, "forkd": boxes[:1], "worker": boxes[1:]}
        return kinds[what] if what in kinds else kinds["actor"] + kinds["worker"]

    @staticmethod
    def parent(pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                return int(f.read().rsplit(")", 1)[1].split()[1])
        except OSError:
            return 0

    def send(self, pid, number):
        try:
            os.kill(pid, number)
        except OSError:
            pass

    def kill_something(self):
        with self.killing:
            if self.kills >= self.most or self.engine.process.poll() is not None:
                return
            what = random.choice(WHAT)
            victims = [] if what in ("engine", "all") else self.victims(what)
            if what == "engine":
                self.engine.kill()
            elif what == "all":
                for k in [self.engine.process.pid] + self.engine.children():
                    self.send(k, signal.SIGKILL)
                self.engine.process.wait()
            elif victims:
                victim = random.choice(victims)
                self.send(victim, signal.SIGSTOP if what == "stop" else signal.SIGKILL)
                if what == "stop":
                    threading.Timer(random.uniform(0.002, 0.08), self.send, (victim, signal.SIGCONT)).start()
            else:
                return  # none was there: nothing to be counted
            self.kills += what != "stop"
            self.counts[what] += 1

    @contextlib.contextmanager
    def risk(self, odds=0.3):
        """Something may be killed while the body runs, or right behind it."""
        timer = None
        if self.kills < self.most and random.random() < odds:
            timer = threading.Timer(random.random() * 0.02, self.kill_something)
            timer.start()
        try:
            yield
        finally:
            if timer:
                timer.join()

    # --- what must hold at any moment

    def lines(self):
        with open(self.oracle) as f:
            return f.read().split("\n")[:-1]

    def look(self):
        """Every line's intent is stored; what was told is stored; nothing is settled while something of the dead engine runs."""
        lines = self.lines()
        records = self.journal.read()
        bare = [l for l in lines if l not in self.journal.known()]
        assert not bare, "lines without a stored intent: %r" % bare
        if self.left:
            last = max([i for i, x in enumerate(records) if x["k"] == "execution.resumed"], default=len(records))
            answered = {(x["s"], x["a"], x["c"]) for x in self.journal.of("question.answered")}
            after = [x for x in records[last + 1:] if x["by"] == "system:engine" and (x.get("s"), x.get("a"), x.get("c")) not in answered]
            self.left &= alive(self.x)
            assert not (after and last >= self.resumes and self.left), "%s was recorded while %r of the dead engine ran" % (after[0]["k"], self.left)

    def note_told(self, view):
        for s in view["steps"]:
            for c in s["calls"]:
                if c["state"] in ("ok", "failed"):
                    self.told.add((s["id"], c["attempt"], c["call"]))
        have = {(x["s"], x["a"], x["c"]) for x in self.journal.of("call.finished")}
        missing = self.told - have
        if missing:
            self.journal.read()
            missing -= {(x["s"], x["a"], x["c"]) for x in self.journal.of("call.finished")}
        assert not missing, "outcomes that were told are not stored: %r" % missing

    # --- the engine, and the person at the run

    def restart(self):
        self.left = alive(self.x)
        self.resumes = len(self.journal.read())
        self.client.close()
        self.engine.start()
        with self.risk(0.1):
            v = self.engine.verify()
            assert v.returncode == 0, "verify after kill %d: %s%s" % (self.kills, v.stdout, v.stderr)
            try:
                self.client = self.engine.client()
            except OSError:
                raise r.Closed()
            view = self.client.ask("attach", execution=self.x)
            self.note_told(view)
        if view["interrupted"] and view["state"] not in ENDS:
            with self.risk():
                self.client.ask("resume", execution=self.x)

    def person(self, f, *args, **more):
        """An operation of the person at the run. It may come too late: then the engine says so."""
        with self.risk():
            try:
                f(*args, execution=self.x, **more)
                return True
            except r.Refused as e:
                assert e.kind in ("conflict", "not_found"), e
                return False

    def resolve(self, s):
        """The oracle says what became of an unknown call: its line is there, or it was never made."""
        calls = [c for c in s["calls"] if c["attempt"] == s["attempt"]]
        unknown = [c for c in calls if c["state"] == "unknown"]
        if not unknown:
            return
        self.journal.read()
        lines = self.lines()

        def is_made(c):
            got = self.journal.keys.get((s["id"], c["attempt"], c["call"]))
            return got is not None and got[0] in lines
        call = random.choice(unknown)
        tolerates = "order" in (killbook.STEPS[int(s["id"][1:])] or ("", ""))[1]
        number, answer = call["call"], "again"
        if is_made(call):
            answer = "failed" if tolerates and random.random() < 0.5 else "done"
        elif random.random() < 0.5 and not any(c["state"] == "running" or (c["state"] == "unknown" and is_made(c)) for c in calls):
            number = None
        more = {"result": {}} if answer == "done" else {}
        if self.person(self.client.ask, "resolve", step=s["id"], call=number, answer=answer, reason="the oracle %s its line" % ("has" if is_made(call) else "does not have"), **more):
            self.resolved[answer] += 1

    def act(self, view):
        for s in view["steps"]:
            if s["waiting"] == "resolve":
                self.resolve(s)
            elif s["waiting"] == "person":
                self.person(self.client.ask, "settle", step=s["id"], outcome="succeeded", note="done")
        for q in view["questions"]:
            value = "answer %d" % random.randrange(1000)
            self.answers.pop(q["step"], None)  # what was sent, and never acknowledged, may hold or not
            if self.person(self.client.ask, "answer", step=q["step"], call=q["call"], value=value):
                self.answers[q["step"]] = value

    def cancel(self):
        self.cancel_at = None
        if self.person(self.client.ask, "cancel", reason="enough"):
            self.is_cancelled = True

    # --- what must hold at the end

    def check_lines(self):
        effects = dict(self.journal.keys.values())
        seen = {}
        for line in self.lines():
            seen[line] = seen.get(line, 0) + 1
        for line, n in seen.items():
            assert n == 1 or effects[line] == "idempotent", "%s was made %d times, and is %s" % (line, n, effects[line])
            assert line.split(":")[0] not in killbook.SKIPPED, "%s, of a step that is skipped" % line
        cancelled = [x["seq"] for x in self.journal.of("execution.cancelled")]
        late = [x for x in self.journal.of("call.started", "attempt.started") if cancelled and x["seq"] > cancelled[0]]
        assert not late, "%s after execution.cancelled" % late[0]["k"]

    def check_order(self, s):
        """The step's own list of what came when is the order of the records."""
        number = {}
        for (step, attempt, call), (key, effect) in self.journal.keys.items():
            if (step, attempt) == (s["id"], s["attempt"]):
                number[call] = key.split(":")[1]
        want = [number.get(x["c"], "?") + ("" if x["d"]["outcome"] == "ok" else "!") for x in self.journal.of("call.finished") if (x["s"], x["a"]) == (s["id"], s["attempt"])]
        assert s["result"]["order"] == want, "step %s got its answers as %r, the journal has %r" % (s["id"], s["result"]["order"], want)
        self.orders += 1

    def check_results(self, view):
        settled = {(x["s"], x["a"]) for x in self.journal.of("step.settled") if "a" in x}
        for s in view["steps"]:
            if s["state"] == "skipped" or s["id"] in killbook.SKIPPED:
                assert s["state"] == "skipped" and s["id"] in killbook.SKIPPED, "step %s is %s" % (s["id"], s["state"])
            if not s["result"] or (s["id"], s["attempt"]) in settled:
                continue
            if "order" in s["result"]:
                self.check_order(s)
            if s["id"] in killbook.OUT:
                key, want = killbook.OUT[s["id"]]
                assert s["result"][key] == want, "step %s gave %r" % (s["id"], s["result"][key])
            if s["id"] in self.answers:
                assert s["result"]["value"] == self.answers[s["id"]], "step %s was answered %r, and got %r" % (s["id"], self.answers[s["id"]], s["result"]["value"])

    def check_end(self, view):
        before = self.lines()
        assert not alive(self.x), "commands left behind"
        self.look()
        self.check_lines()
        self.journal.check_leases()
        state = view["state"]
        self.ends[state] = self.ends.get(state, 0) + 1
        if self.is_cancelled:
            assert state == "cancelled", "it was cancelled, and is %s" % state
        bad = [(s["id"], s["state"], s["why"]) for s in view["steps"] if s["state"] not in ("succeeded", "skipped", "pending", "ready")]
        if state == "failed":
            assert all(any(word in (why or "") for word in LOST) for _, _, why in bad), "it failed: %r" % bad
        elif state != "cancelled":
            assert state == "succeeded", "it ended %s: %r" % (state, bad)
            self.check_results(view)
        assert self.lines() == before, "lines after the end"

    def execution(self):
        with open(self.oracle, "w"):
            pass
        self.told, self.answers, self.left, self.resumes, self.is_cancelled = set(), {}, set(), 0, False
        self.x = self.client.ask("run", book=self.book, mode="auto", declared=True, params={"oracle": self.oracle})["execution"]
        self.journal = Journal(self.engine.state, self.x, killbook.key_of)
        start = time.monotonic()
        self.cancel_at = start + random.uniform(0, 3) if random.random() < 0.25 else None
        next_kill = start + random.expovariate(KILLS_A_SECOND)
        while True:
            assert time.monotonic() < start + 600, "execution %s does not end: %r" % (self.x, [(s["id"], s["state"], s["waiting"]) for s in view["steps"]])
            try:
                if self.engine.process.poll() is not None:
                    self.restart()
                view = self.client.ask("attach", execution=self.x, timeout=20)
                self.note_told(view)
                self.look()
                if view["state"] in ENDS:
                    break
                self.act(view)
                if self.cancel_at and time.monotonic() > self.cancel_at:
                    self.cancel()
                if time.monotonic() > next_kill:
                    self.kill_something()
                    next_kill = time.monotonic() + random.expovariate(KILLS_A_SECOND)
                else:
                    time.sleep(random.random() * 0.004)
            except r.Closed:
                r.deadline(10, "engine to be gone", lambda: self.engine.process.poll() is not None)
        self.check_end(view)


def one_log(most):
    """A new state directory, and what happened in it; None where something did not hold."""
    run = Run(most)
    try:
        while run.kills < most:
            run.execution()
        run.engine.stop()
        v = run.engine.verify()
        assert v.returncode == 0, v.stdout + v.stderr
        with open(os.path.join(run.folder, "engine.log")) as f:
            log = f.read()
        assert "Sanitizer" not in log and "runtime error" not in log, log[-3000:]
        shutil.rmtree(run.folder, ignore_errors=True)
        return run
    except (AssertionError, r.Refused) as e:
        print("not ok - seed %d, kill %d: %s" % (SEED, run.kills, e))
        print("# state kept in %s" % run.folder)
        return None
    finally:
        run.engine.stop()


def main():
    kills, orders, sums = 0, 0, {"ends": {}, "kills": {}, "resolved": {}}
    while kills < KILLS:
        run = one_log(min(KILLS_A_LOG, KILLS - kills))
        if not run:
            return 1
        kills, orders = kills + run.kills, orders + run.orders
        for name, counts in (("ends", run.ends), ("kills", run.counts), ("resolved", run.resolved)):
            for what, n in counts.items():
                sums[name][what] = sums[name].get(what, 0) + n
    print("# %s, orders compared %d" % (", ".join("%s %r" % pair for pair in sums.items()), orders))
    print("ok - %d kills: nothing twice, nothing without intent, nothing lost, every journal whole" % kills)
    return 0


sys.exit(main())
