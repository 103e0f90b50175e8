#!/usr/bin/env python3
"""kill -9 of the engine at random moments while a person says what became of an unknown call, or has its step's verify run. Each command appends a line to a file outside,
with an fsync. Proves: the unknown call is made again as often as an answer in the record says so, and never otherwise; calls that had an outcome are never made again; an
answer that was acknowledged is in the record; one that was not can be given anew, and is a conflict where it was; the journal verifies.

KILLS=n kills (16), SEED=n. Prints the seed, which draws the moments; TAP-like lines; exit status.

limit: 180"""
import os, random, shutil, sys, tempfile, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from awkward import there, touch
from world import World, same

KILLS = int(os.environ.get("KILLS", "16"))
SEED = int(os.environ.get("SEED", str(int(time.time()))))
rng = random.Random(SEED)
print("# seed %d, %d kills" % (SEED, KILLS), flush=True)

MARK = 'sh({"python3", "%s", "%s", "%s"})'
BOOK = """# Kills

## Permissions

- read: `sh test **`
- `sh python3 **`

## Steps

1. Work

   ```lua {id=s0}
   %s
   %s
   %s
   ```

   ```lua {verify}
   sh({"test", "-e", "%s"})
   ```
"""
MARKER = """import os, sys, time
f = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(f, (sys.argv[2] + "\\n").encode())
os.fsync(f)
while sys.argv[2] == "two" and not os.path.exists(sys.argv[1] + ".go"):
    time.sleep(0.02)
"""


class Round:
    """One execution whose second call is unknown, answered under kills until it is over."""

    def __init__(self, w, n):
        self.w, self.oracle = w, w.path("oracle%d" % n)
        marker, book = w.path("marker.py"), w.path("round%d.md" % n)
        with open(marker, "w") as f:
            f.write(MARKER)
        with open(book, "w") as f:
            f.write(BOOK % (*(MARK % (marker, self.oracle, word) for word in ("one", "two", "three")), self.oracle + ".fine"))
        self.x = w.run(book)
        r.deadline(20, "the second call", lambda: "two" in self.made())
        w.restart()
        touch(self.oracle + ".go")
        w.client.ask("resume", execution=self.x)
        self.told = []  # answers that were acknowledged
        self.kills = 0

    def made(self):
        if not os.path.exists(self.oracle):
            return []
        with open(self.oracle) as f:
            return f.read().split()

    def records(self, kind):
        return [k for k in self.w.records(self.x) if k["k"] == kind]

    def kill(self):
        """At a moment after what was just asked."""
        time.sleep(rng.choice((0, 0.001, 0.004, 0.015, 0.05)) * rng.random())
        self.w.restart()
        self.kills += 1
        try:
            self.w.client.ask("resume", execution=self.x)
        except r.Refused as e:
            same(e.kind, "conflict")  # it is over

    def waits(self):
        """True where an answer is asked for, False where it is over."""
        def look():
            v = self.w.view(self.x)
            over = v["state"] in ("succeeded", "failed", "cancelled")
            return "over" if over else "asks" if v["steps"][0]["waiting"] == "resolve" else None
        return r.deadline(30, "an end or a question", look) == "asks"

    def move(self):
        word = rng.choice(("verify", "again", "again", "failed", "done"))
        args = {"execution": self.x, "step": "s0"}
        op = "resolve.verify" if word == "verify" else "resolve"
        if op == "resolve":
            args.update(call=None, answer=word, reason="looked")
        if rng.random() < 0.4:
            try:
                self.w.client.ask(op, **args)
                self.told += [word] if op == "resolve" else []
            except r.Refused as e:
                same(e.kind, "conflict")  # what was sent before a kill has been taken
        else:
            self.w.client.send({"id": 10**6, "op": op, "args": args})
        self.kill()

    def check(self):
        again = [k["c"] for k in self.records("call.resolved") if k["d"]["answer"] == "again"]
        answers = [k["d"]["answer"] for k in self.records("call.resolved")] + ["done" for k in self.records("step.settled")]
        made = self.made()
        same(made.count("one"), 1)
        for number, word in ((2, "two"), (3, "three")):
            assert made.count(word) <= 1 + again.count(number), (made, again)
        # Each answer that was acknowledged is there, in its order.
        rest = iter(answers)
        assert all(word in rest for word in self.told), (self.told, answers)
        return made, answers


def run(w):
    kills = n = 0
    while kills < KILLS:
        c = Round(w, n)
        n += 1
        while kills + c.kills < KILLS and c.waits():
            c.move()
            c.check()
        while c.waits():
            w.client.ask("resolve", execution=c.x, step="s0", call=None, answer="again", reason="the last word")
        state = w.over(c.x)["state"]
        made, answers = c.check()
        if state == "succeeded" and "done" not in answers:
            assert "three" in made, made
        kills += c.kills + 1
    print("# %d executions" % n)


w = World()
try:
    run(w)
    w.end()
    print("ok - answers under kills")
    shutil.rmtree(w.folder, ignore_errors=True)
except Exception as e:
    print("not ok - answers under kills: %s: %s (%s, seed %d)" % (type(e).__name__, str(e)[:1500], w.folder, SEED))
    sys.exit(1)
finally:
    w.engine.stop()
