#!/usr/bin/env python3
"""kill -9 of the engine, a worker, an actor, the fork server or all of them, at random moments, over a book of 20 steps whose commands append a line to a
file outside. Proves DESIGN section 5: no line twice for a `once` call, no line without an intent, no outcome lost, nothing left running, and a journal
that verifies after every kill.

KILLS=n kills (30; the long loop uses 300), SEED=n. Prints the seed, which draws the moments; TAP-like lines; exit status."""
import json, os, random, signal, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r

KILLS = int(os.environ.get("KILLS", "30"))
SEED = int(os.environ.get("SEED", str(int(time.time()))))
WHAT = os.environ.get("WHAT", "engine engine engine worker actor forkd all").split()
random.seed(SEED)
print("# seed %d, %d kills" % (SEED, KILLS), flush=True)


def book(folder):
    out = ["# Kill book", "", "## Permissions", "", "- `sh sh -c *`", "", "## Steps", ""]
    for i in range(20):
        kind = i % 5
        out += ["%d. Step %d" % (i + 1, i), ""]
        attributes = "id=s%d" % i
        if kind == 4:
            attributes += " effect=idempotent"
        body = ['local function line(n)',
                '  return sh({"sh", "-c", "printf \'%%s\\\\n\' \\"$KEY\\" >> \\"$ORACLE\\"; sleep 0.0%d"}, {env = {KEY = run.step .. "." .. n .. "." .. run.attempt, ORACLE = params.oracle}})' % (i % 4),
                'end']
        if kind == 1:
            body += ['parallel{function() line(1) end, function() line(2) end, function() line(3) end}']
        elif kind == 2:
            body += ['line(1)', 'line(2)']
        elif kind == 3:
            body += ['return {n = %d}' % i]
        else:
            body += ['line(1)']
        out += ["   ```lua {%s}" % attributes] + ["   " + b for b in body] + ["   ```", ""]
    out[2:2] = ["## Parameters", "", "| Name | Type | Default | Description |", "|---|---|---|---|", "| oracle | string | | the file |", ""]
    path = os.path.join(folder, "kill.md")
    with open(path, "w") as f:
        f.write("\n".join(out))
    return path


class Run:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rung-kill-")
        self.oracle = os.path.join(self.folder, "oracle")
        open(self.oracle, "w").close()
        self.book = book(self.folder)
        self.engine = r.Engine(self.folder).start()
        self.client = self.engine.client()
        self.kills = 0
        self.counts = {"engine": 0, "worker": 0, "actor": 0, "forkd": 0, "all": 0}
        self.resolved = {"again": 0, "done": 0}
        self.executions = 0
        self.acknowledged = set()

    def lines(self):
        with open(self.oracle) as f:
            return f.read().split("\n")[:-1]

    def records(self, execution):
        out, at = [], 0
        while at is not None:
            got = self.client.ask("records", execution=execution, **{"from": at})
            out += [json.loads(l) for l in got["lines"]]
            at = got["next"]
        return out

    def pids(self, execution):
        """Processes that an execution's commands left: they carry its id in their environment."""
        out = []
        mark = ("RUNG_EXECUTION=%s" % execution).encode()
        for p in os.listdir("/proc"):
            if p.isdigit():
                try:
                    with open("/proc/%s/environ" % p, "rb") as f:
                        if mark in f.read():
                            out.append(int(p))
                except OSError:
                    pass
        return out

    def kill_something(self):
        what = random.choice(WHAT)
        kids = self.engine.children()
        def named(mark):
            out = []
            for k in kids:
                try:
                    with open("/proc/%d/cmdline" % k, "rb") as f:
                        line = f.read()
                except OSError:
                    continue
                if mark in line:
                    out.append(k)
            return out
        actors = named(b"actor\0")
        boxes = named(b"rung-forkd")
        if what == "engine" or not kids:
            what = "engine"
            self.engine.kill()
        elif what == "all":
            for k in [self.engine.process.pid] + kids:
                try:
                    os.kill(k, signal.SIGKILL)
                except OSError:
                    pass
            self.engine.process.wait()
        else:
            victims = actors if what == "actor" else boxes[:1] if what == "forkd" else boxes[1:]
            if victims:
                try:
                    os.kill(random.choice(victims), signal.SIGKILL)
                except OSError:
                    pass
        self.counts[what] += 1
        self.kills += 1

    def restart(self, execution):
        before = self.pids(execution)
        self.client.close()
        self.engine.start()
        self.client = self.engine.client()
        v = self.engine.verify()
        assert v.returncode == 0, "verify after kill %d: %s%s" % (self.kills, v.stdout, v.stderr)
        self.check_acknowledged(execution)
        view = self.client.ask("attach", execution=execution)
        if view["interrupted"]:
            self.client.ask("resume", execution=execution)
            # Once anything new is recorded, what the dead engine had started must be gone.
            def moved():
                records = self.records(execution)
                last = max(i for i, x in enumerate(records) if x["k"] == "execution.resumed")
                return last + 1 < len(records)
            r.deadline(30, "something recorded after resume", moved)
            still = [p for p in before if p in self.pids(execution)]
            assert not still, "commands of the dead engine still run after recovery: %r" % still

    def check_acknowledged(self, execution):
        have = {(x.get("s"), x.get("a"), x.get("c")) for x in self.records(execution) if x["k"] == "call.finished"}
        lost = self.acknowledged - have
        assert not lost, "outcomes lost: %r" % lost

    def acknowledge(self, view):
        for s in view["steps"]:
            for c in s["calls"]:
                if c["state"] in ("ok", "failed"):
                    self.acknowledged.add((s["id"], c["attempt"], c["call"]))

    def resolve(self, execution, view):
        """The oracle says what became of an unknown call: its line is there, or it was never made."""
        for s in view["steps"]:
            if s["waiting"] != "resolve":
                continue
            unknown = [c for c in s["calls"] if c["state"] == "unknown"]
            lines = self.lines()
            # parallel steps: call c writes line "step.c.attempt" in asking order
            made = [c for c in unknown if "%s.%d.%d" % (s["id"], c["call"], c["attempt"]) in lines]
            if made:
                self.client.ask("resolve", execution=execution, step=s["id"], call=None, answer="done", reason="the oracle has its line", result={})
                self.resolved["done"] += 1
            else:
                self.client.ask("resolve", execution=execution, step=s["id"], call=None, answer="again", reason="the oracle does not have its line")
                self.resolved["again"] += 1

    def check_end(self, execution):
        records = self.records(execution)
        intents = {}
        for x in records:
            if x["k"] == "call.started":
                intents.setdefault("%s.%d.%d" % (x["s"], x["c"], x["a"]), []).append(x["d"])
        lines = self.lines()
        seen = {}
        for line in lines:
            seen[line] = seen.get(line, 0) + 1
            assert line in intents, "a line without an intent: %s" % line
        for line, n in seen.items():
            effect = intents[line][0]["effect"]
            assert n == 1 or effect == "idempotent", "%s was made %d times, and is %s" % (line, n, effect)
        assert not self.pids(execution), "commands left behind"

    def execution(self):
        open(self.oracle, "w").close()
        self.acknowledged = set()
        self.executions += 1
        x = self.client.ask("run", book=self.book, mode="auto", declared=True, params={"oracle": self.oracle})["execution"]
        next_kill = time.monotonic() + random.expovariate(12)
        end = time.monotonic() + 120
        while True:
            assert time.monotonic() < end, "execution %s does not end" % x
            try:
                if self.engine.process.poll() is not None:
                    self.restart(x)
                view = self.client.ask("attach", execution=x, timeout=20)
                self.acknowledge(view)
                if view["state"] in ("succeeded", "failed", "diverged", "cancelled", "timed_out"):
                    break
                if view["state"] == "attention":
                    self.resolve(x, view)
                if self.kills < KILLS and time.monotonic() > next_kill:
                    self.kill_something()
                    next_kill = time.monotonic() + random.expovariate(12)
                else:
                    time.sleep(random.random() * 0.004)
            except r.Closed:
                r.deadline(10, "engine to be gone", lambda: self.engine.process.poll() is not None)
        assert view["state"] == "succeeded", "execution ended %s: %r" % (view["state"], [(s["id"], s["state"], s["why"]) for s in view["steps"] if s["state"] not in ("succeeded", "pending")])
        self.check_end(x)


def main():
    run = Run()
    try:
        while run.kills < KILLS:
            run.execution()
        run.engine.stop()
        v = run.engine.verify()
        assert v.returncode == 0, v.stdout + v.stderr
        print("# %d executions, kills %r, resolved %r" % (run.executions, run.counts, run.resolved))
        print("ok - %d kills: nothing twice, nothing without intent, nothing lost, every journal whole" % run.kills)
        return 0
    except AssertionError as e:
        print("not ok - seed %d, kill %d: %s" % (SEED, run.kills, e))
        print("# state kept in %s" % run.folder)
        return 1
    finally:
        run.engine.stop()


sys.exit(main())
