#!/usr/bin/env python3
"""Answers are delivered in the order of `call.finished` in the journal, live and in recovery. Six steps at the same time, whose branches share what they know, race to be
first, count errors, and ask next what all that says (orderbook.py); their commands take and give what chance wills, and append a key to a file outside. The engine
dies when the k-th outcome is durable and not delivered; taken up again, it dies once more when the j-th answer is handed over; workers die with an answer in hand. The
model of the book, over the order of the journal, predicts every call and the result: an attempt that was run again asked the same calls, in the same order, and came to
the same end; no call that had an outcome was made again; nothing diverged.

EVERY=1: each k in turn until all outcomes of an execution were passed, else ROUNDS=n of them (8); SEED=n. Prints the seed; TAP-like lines; exit status.

limit: 240"""
import json, os, random, shutil, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "fail")]
sys.dont_write_bytecode = True
import orderbook
import rungclient as r
from failtable import Table
from oracle import Journal

EVERY = os.environ.get("EVERY") == "1"
ROUNDS = int(os.environ.get("ROUNDS", "8"))
SEED = int(os.environ.get("SEED", str(int(time.time()))))
ENDS = ("succeeded", "failed", "diverged", "cancelled", "timed_out")
random.seed(SEED)
print("# seed %d" % SEED, flush=True)


class Calls(Journal):
    """With the words of each call."""

    def intent(self, db, record):
        (text,) = db.execute("SELECT bytes FROM blob WHERE name = ?", (bytes.fromhex(record["d"]["arguments"].split(":")[1]),)).fetchone()
        self.keys[(record["s"], record["a"], record["c"])] = (self.key_of(json.loads(text)["arguments"]["argv"]), record["d"]["effect"])

    def intents(self):
        out = {}
        for x in self.of("call.started"):
            name = (x["s"], x["a"], x["c"])
            out[name] = out.get(name, 0) + 1
        return out


class Failing(r.Engine):
    def environment(self):
        return dict(super().environment(), RUNG_FAIL_TABLE=os.path.join(self.folder, "table"))


class Run:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rung-order-")
        self.oracle = os.path.join(self.folder, "oracle")
        self.book = orderbook.write(self.folder)
        self.engine = Failing(self.folder)
        self.table = Table(os.path.join(self.folder, "table"), self.engine.program)
        self.engine.start()
        self.client = self.engine.client()
        self.deaths = {"engine": 0, "in replay": 0, "worker": 0}
        self.calls = self.again = self.orders = self.resolved = 0

    def lines(self):
        with open(self.oracle) as f:
            return f.read().split("\n")[:-1]

    # --- an execution, and the deaths in it

    def ask(self, where, at):
        self.table.clear()
        self.table.ask(where, "die", at)
        self.asked = where

    def take_up(self):
        self.journal.read()
        lines = self.lines()
        for x in self.journal.of("call.finished"):
            name = (x["s"], x["a"], x["c"])
            self.made.setdefault(name, lines.count(self.journal.keys[name][0]))
        self.deaths["in replay" if self.asked == "call.answered" else "engine"] += 1
        self.table.clear()
        if self.next:
            self.ask(*self.next.pop(0))
        self.client.close()
        self.engine.start()
        self.client = self.engine.client()
        view = self.client.ask("attach", execution=self.x)
        if view["state"] not in ENDS:
            self.client.ask("resume", execution=self.x)

    def person(self, view):
        """Says what became of an unknown call: the file knows."""
        for s in view["steps"]:
            if s["waiting"] != "resolve":
                continue
            self.journal.read()
            call = next(c for c in s["calls"] if "unknown" in c)
            key = self.journal.keys[(s["id"], call["attempt"], call["call"])][0]
            is_made = key in self.lines()
            try:
                self.client.ask("resolve", execution=self.x, step=s["id"], call=call["call"], answer="failed" if is_made else "again", reason="as the file says")
                self.resolved += 1
            except r.Refused as e:
                assert e.kind in ("conflict", "not_found"), e

    def execution(self, k, j):
        """Its engine dies at the k-th outcome, and at the j-th answer after that. Gives how many outcomes it had before the first death, or its end."""
        with open(self.oracle, "w"):
            pass
        self.made, self.next = {}, [("call.answered", j), ("box.answer", random.randint(1, 20))]
        self.ask("call.outcome.durable", k)
        self.x = self.client.ask("run", book=self.book, mode="auto", declared=True, params={"oracle": self.oracle})["execution"]
        self.journal = Calls(self.engine.state, self.x, orderbook.key_of)
        end, did = time.monotonic() + 90, False
        while True:
            assert time.monotonic() < end, "execution %s does not end" % self.x
            try:
                if self.engine.process.poll() is not None:
                    did = True
                    self.take_up()
                view = self.client.ask("attach", execution=self.x, timeout=20)
                if view["state"] in ENDS:
                    break
                self.person(view)
                time.sleep(0.01)
            except r.Closed:
                r.deadline(10, "engine to be gone", lambda: self.engine.process.poll() is not None)
        self.deaths["worker"] += self.table.happened("box.answer") != 0
        self.judge(view)
        return did

    # --- what must hold

    def judge(self, view):
        self.journal.read()
        bad = [(s["id"], s["state"], s["why"]) for s in view["steps"] if s["state"] != "succeeded"]
        assert not bad, "it ended as %r" % bad
        lines, intents = self.lines(), self.journal.intents()
        for name, n in self.made.items():
            key = self.journal.keys[name][0]
            assert lines.count(key) == n, "%s had an outcome, and was made again" % key
        for name, (key, effect) in self.journal.keys.items():
            most = 1 if effect == "receipt" else intents[name]
            assert lines.count(key) <= most, "%s was made %d times, with %d intents" % (key, lines.count(key), intents[name])
            self.again += intents[name] > 1
        assert set(lines) <= self.journal.known(), "lines without a stored intent"
        for (id, _, _, model), s in zip(orderbook.STEPS, view["steps"]):
            self.follow(id, model, s)

    def follow(self, id, model, s):
        """The model over the order of the journal asks what the journal has, and comes to the step's result."""
        replay, order = orderbook.Replay(id, model), []
        for x in self.journal.of("call.finished"):
            if x["s"] != id:
                continue
            order.append(x["c"])
            assert x["c"] in replay.waits, "step %s: call %d has an outcome, and the model waits for %s after %r" % (id, x["c"], sorted(replay.waits), order)
            replay.deliver(x["c"], x["d"]["outcome"] == "ok" and x["d"].get("code", 0) == 0)
        asked = {c: key for (step, _, c), (key, _) in self.journal.keys.items() if step == id}
        assert asked == replay.asked, "step %s asked %r, the model %r" % (id, asked, replay.asked)
        assert replay.is_over and s["result"] == replay.step.result(), "step %s gave %r, the model %r" % (id, s["result"], replay.step.result())
        assert {a for (step, a, _) in self.journal.keys if step == id} == {1}, "step %s has another attempt" % id
        self.calls += len(asked)
        self.orders += order != sorted(order)

    def end(self):
        self.engine.stop()
        v = self.engine.verify()
        assert v.returncode == 0, v.stdout + v.stderr
        with open(os.path.join(self.folder, "engine.log")) as f:
            log = f.read()
        assert "Sanitizer" not in log and "runtime error" not in log, log[-3000:]


def main():
    run, k, done = Run(), 0, 0
    try:
        while EVERY or done < ROUNDS:
            k = k + 1 if EVERY else random.randint(1, 45)
            done += 1
            if not run.execution(k, random.randint(1, 25)) and EVERY:
                break
        run.end()
        print("# %d executions, deaths %s, %d calls compared with the model, %d steps whose answers came out of the order of asking, %d calls made again by their class, %d resolved"
              % (done, json.dumps(run.deaths), run.calls, run.orders, run.again, run.resolved))
        assert run.deaths["engine"] and run.deaths["in replay"] and run.deaths["worker"] and run.orders > done, "the deaths did not happen"
        print("ok - %d executions: an attempt that is run again gets its answers in the order of the journal, asks the same, and comes to the same" % done)
        shutil.rmtree(run.folder, ignore_errors=True)
        return 0
    except (AssertionError, r.Refused) as e:
        print("not ok - seed %d, k %d: %s" % (SEED, k, e))
        print("# state kept in %s" % run.folder)
        return 1
    finally:
        run.engine.stop()


sys.exit(main())
