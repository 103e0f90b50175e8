#!/usr/bin/env python3
"""kill -9 at random moments around commands under a receipt: of the engine, the actor, the shell that keeps the receipt, the command, or all of it, and of an engine that was
stopped a while before. Each command
appends "begin KEY" and "end KEY" to a file outside, each with an fsync. Proves: no command begins twice; none begins whose intent is not stored; where the receipt
has the end, the record gets that very end with all that was printed; what ended as known ended so; all else is unknown, and a person is asked; the journal verifies.

KILLS=n kills (20; the long loop uses more), SEED=n. Prints the seed, which draws the moments; TAP-like lines; exit status.

limit: 240"""
import json, os, random, shutil, signal, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED", str(int(time.time()))))
WHAT = ("engine", "stalled", "stalled", "actor", "shell", "command", "all")
STEPS = 4
random.seed(SEED)
print("# seed %d, %d kills" % (SEED, KILLS), flush=True)

MARK = """import os, sys
f = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(f, (sys.argv[2] + "\\n").encode())
os.fsync(f)
"""
STEP = """local script = [[python3 %(mark)s %(oracle)s "begin %(id)s.$1"; echo out $1; sleep 0.0%(nap)d; echo err >&2; python3 %(mark)s %(oracle)s "end %(id)s.$1"; exit %(code)d]]
local ok, got = pcall(sh, {"sh", "-c", script, "sh", tostring(run.attempt)}, {effect = "receipt", check = false})
return {ok = ok, code = ok and got.code or nil, out = ok and got.stdout or nil, err = ok and got.stderr or nil}"""


class Run:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rung-receipt-")
        self.oracle, mark = os.path.join(self.folder, "oracle"), os.path.join(self.folder, "mark.py")
        with open(mark, "w") as f:
            f.write(MARK)
        open(self.oracle, "w").close()
        out = ["# Receipts", "", "## Permissions", "", "- `sh sh -c **`", "", "## Steps", ""]
        for i in range(STEPS):
            source = STEP % {"mark": mark, "oracle": self.oracle, "id": "s%d" % i, "nap": i, "code": i}
            out += ["%d. Step %d" % (i + 1, i), "", "   ```lua {id=s%d}" % i] + ["   " + l for l in source.split("\n")] + ["   ```", ""]
        self.book = os.path.join(self.folder, "book.md")
        with open(self.book, "w") as f:
            f.write("\n".join(out))
        self.engine = r.Engine(self.folder).start()
        self.client = self.engine.client()
        self.kills = 0
        self.counts = {what: 0 for what in set(WHAT)}
        self.ends = {"answered": 0, "from the receipt": 0, "unknown": 0, "killed": 0}
        self.slain = set()

    # --- kills

    def find(self, mark, words, but=None):
        out = []
        for p in os.listdir("/proc"):
            try:
                if not p.isdigit():
                    continue
                with open("/proc/%s/environ" % p, "rb") as f:
                    if mark not in f.read():
                        continue
                with open("/proc/%s/cmdline" % p, "rb") as f:
                    line = f.read()
                if words in line and not (but and but in line):
                    out.append(int(p))
            except OSError:
                pass
        return out

    def victims(self, what):
        mark = b"RUNG_EXECUTION=" + self.x.encode()
        if what == "actor":
            return [k for k in self.engine.children() if self.named(k, b"actor\0")]
        if what == "shell":
            return self.find(mark, b"\0rung-receipt\0")
        if what == "command":
            return self.find(mark, b"sh\0-c\0python3", but=b"\0rung-receipt\0")  # the shell that keeps its receipt has its words, too
        return [k for k in self.engine.children()] + self.find(mark, b"")

    @staticmethod
    def named(pid, words):
        try:
            with open("/proc/%d/cmdline" % pid, "rb") as f:
                return words in f.read()
        except OSError:
            return False

    def kill(self, what):
        victims = [] if what in ("engine", "stalled") else self.victims(what)
        if not victims and what not in ("engine", "stalled"):
            return  # none was there: nothing to be counted
        self.kills += 1
        self.counts[what] += 1
        self.is_shell_killed |= what == "shell"
        if what == "stalled":
            # What ends meanwhile nobody hears of.
            os.kill(self.engine.process.pid, signal.SIGSTOP)
            time.sleep(random.random() * 0.3)
        if what in ("engine", "stalled", "all"):
            self.engine.kill()
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass

    # --- what must hold

    def marks(self):
        with open(self.oracle) as f:
            return f.read().split("\n")[:-1]

    def finished(self):
        """Steps whose receipt has the end, with the end that it has: {step: status}."""
        out, room = {}, os.path.join(self.folder, "state", "receipts", self.x)
        for name in os.listdir(room) if os.path.isdir(room) else []:
            try:
                with open(os.path.join(room, name, "finish")) as f:
                    out[name] = int(f.read().split()[0])
            except OSError:
                pass
        return out

    def records(self):
        return [json.loads(l) for l in self.client.ask("records", execution=self.x)["lines"]]

    def one(self):
        """An execution with a kill or two in it, to its end."""
        first, kept, resolved, before, self.is_shell_killed = len(self.marks()), {}, set(), self.kills, False
        self.x = self.client.ask("run", book=self.book, mode="auto", declared=True)["execution"]
        deadline = time.time() + 600
        while True:
            assert time.time() < deadline, "execution %s does not end" % self.x
            if self.kills < KILLS and self.kills < before + 2:
                time.sleep(random.random() * 0.25)
                self.kill(random.choice(WHAT))
            if self.engine.process.poll() is not None:
                kept.update(self.finished())
                self.client.close()
                self.engine.start()
                v = self.engine.verify()
                assert v.returncode == 0, v.stdout + v.stderr
                self.client = self.engine.client()
                view = self.client.ask("attach", execution=self.x)
                if view["state"] not in ("succeeded", "failed"):
                    self.client.ask("resume", execution=self.x)
            view = self.client.ask("attach", execution=self.x)
            if view["state"] in ("succeeded", "failed"):
                break
            for s in view["steps"]:
                if s["waiting"] == "resolve":
                    name = "%s.%d.1" % (s["id"], s["attempt"])
                    # Whoever ends the shell leaves it unknown, even in the moment between its last word and its end.
                    assert name not in kept or self.is_shell_killed, "the receipt of %s has its end, and the call is unknown" % name
                    resolved.add(s["id"])
                    self.client.ask("resolve", execution=self.x, step=s["id"], answer="failed", reason="as the test says")
            time.sleep(0.01)
        self.judge(view, self.marks()[first:], kept, resolved)

    def judge(self, view, marks, kept, resolved):
        assert len(marks) == len(set(marks)), "run twice: %r" % marks
        intents = {(x["s"], x["a"]) for x in self.records() if x["k"] == "call.started"}
        for i, s in enumerate(view["steps"]):
            got, begun, ended = s["result"] or {}, "begin %s.1" % s["id"] in marks, "end %s.1" % s["id"] in marks
            assert not begun or (s["id"], 1) in intents, "%s ran without a stored intent" % s["id"]
            if s["id"] in resolved or s["state"] == "failed":
                assert not got.get("ok"), s
                self.ends["unknown"] += s["id"] in resolved
                continue
            if not got["ok"]:
                assert not begun, "%s ran, and its call is told as failed" % s["id"]
                continue
            if got["code"] == 137:
                self.ends["killed"] += 1
                continue
            assert (got["code"], got["out"], got["err"]) == (i, "out 1\n", "err\n") and begun and ended, (s, marks)
            assert kept.get("%s.1.1" % s["id"], i) in (i, 137), kept
            self.ends["from the receipt" if "%s.1.1" % s["id"] in kept else "answered"] += 1

    def close(self):
        self.client.close()
        self.engine.kill()


run, status = Run(), 0
try:
    while run.kills < KILLS:
        run.one()
    print("# kills: %s; ends: %s" % (json.dumps(run.counts, sort_keys=True), json.dumps(run.ends, sort_keys=True)))
    print("ok - %d kills around commands under a receipt: none ran twice, none that had ended was lost" % run.kills)
except (AssertionError, r.Refused) as e:
    print("not ok - seed %d, kill %d: %s (%s)" % (SEED, run.kills, e, run.folder))
    status = 1
run.close()
if not status:
    shutil.rmtree(run.folder, ignore_errors=True)
sys.exit(status)
