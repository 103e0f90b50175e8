#!/usr/bin/env python3
"""The wall clock is set, forward and back by an hour, in the middle of everything that lasts: attempts with a deadline, commands with a timeout, delays of retries,
approvals, elevations; and across the end of an engine. What lasts, lasts as long as it says; a file outside judges that nothing is made twice; the journal verifies,
and says where the clock went back. The engine is build/rung-clock (clock_offset.c): its wall clock is ours to set.

SEED=n JUMPS=n (12) for the random ones. limit: 120"""
import os, random, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("tools", "engine"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))
import rungclient as r
from world import World, run_tests, same

HOUR = 3600
SEED = int(os.environ.get("SEED", str(int(time.time()))))
JUMPS = int(os.environ.get("JUMPS", "12"))
tests = []


def test(f):
    tests.append(f)
    return f


class Clock:
    """The wall clock of a world's engine."""

    def prepare(self):
        self.offset = self.path("clock")
        self.set_clock(0)
        self.engine.program = os.path.join(os.path.abspath(r.BUILD), "rung-clock")
        plain = self.engine.environment
        self.engine.environment = lambda: dict(plain(), RUNG_CLOCK_FILE=self.offset)
        super().prepare()

    def set_clock(self, seconds):
        with open(self.offset + ".new", "w") as f:
            f.write("%d\n" % (seconds * 1000000))
        os.rename(self.offset + ".new", self.offset)

    def lines(self, name="oracle"):
        try:
            with open(self.path(name)) as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def until_line(self, count, name="oracle"):
        return r.deadline(30, "%d lines in %s" % (count, name), lambda: len(self.lines(name)) >= count)

    def stepped(self):
        """How often the journal says that the clock went back."""
        import sqlite3
        db = sqlite3.connect("file:%s?mode=ro" % os.path.join(self.engine.state, "store.db"), uri=True)
        try:
            return db.execute("SELECT count(*) FROM record WHERE CAST(line AS TEXT) LIKE '%\"k\":\"clock.stepped\"%'").fetchone()[0]
        finally:
            db.close()


class ClockWorld(Clock, World):
    def append(self, text, more=""):
        """Lua that appends text to the oracle, and does more in the shell."""
        return 'sh({"sh", "-c", "echo %s >> %s; %s"})' % (text, self.path("oracle"), more or "true")


# --- attempts and commands ------------------------------------------------------------------------------------------------------------------


@test
def a_clock_set_forward_ends_no_attempt_before_its_time(w):
    go = w.path("go")
    x = w.run(w.lua((w.append("a", "until test -e %s; do sleep 0.02; done" % go) + " " + w.append("b"), "timeout=10m")))
    w.until_line(1)
    w.set_clock(HOUR)
    w.client.ask("note", execution=x, text="an hour has passed, says the wall")
    time.sleep(0.3)  # a deadline that counts the jump would strike now
    open(go, "w").close()
    same(w.over(x)["state"], "succeeded")
    same(w.lines(), ["a", "b"])


@test
def a_clock_set_back_does_not_give_an_attempt_more_time(w):
    x = w.run(w.lua((w.append("a", "sleep 100"), "timeout=2s effect=read")))
    w.until_line(1)
    w.set_clock(-HOUR)
    same(w.over(x, 40)["state"], "timed_out")
    same(w.stepped(), 1)


@test
def a_command_s_own_time_is_not_the_wall_s(w):
    x = w.run(w.lua((w.append("a") + ' sh({"sleep", "100"}, {timeout = "1s", effect = "read"})', "timeout=10m")))
    w.until_line(1)
    w.set_clock(-HOUR)
    same(w.over(x, 40)["state"], "failed")
    assert "timeout" in [k["d"].get("outcome") for k in w.records(x) if k["k"] == "call.finished"], w.kinds(x)


@test
def the_delay_of_a_retry_is_as_long_as_the_book_says(w):
    source = w.append("$(cut -d' ' -f1 /proc/uptime)") + ' if run.attempt == 1 then fail("the first time") end'
    for jump in (HOUR, -HOUR):
        w.set_clock(0)
        before = len(w.lines())
        x = w.run(w.lua((source, "retry=1 delay=2s")))
        w.until_line(before + 1)
        w.set_clock(0)
        w.waits(x, "s0", "retry")
        w.set_clock(jump)
        w.client.ask("note", execution=x, text="looked at again")
        same(w.over(x, 40)["state"], "succeeded")
        first, second = (float(l) for l in w.lines()[before:])
        assert second - first >= 1.9, "set by %d s: the retry came after %.2f s" % (jump, second - first)


@test
def time_stands_still_for_a_step_that_waits_for_a_person(w):
    x = w.run(w.lua(('ask("?") ' + w.append("a"), "timeout=20s")))
    w.waits(x, "s0", "answer")
    for jump in (HOUR, -HOUR):
        w.set_clock(jump)
        w.client.ask("note", execution=x, text="looked at again")
    q = w.view(x)["questions"][0]
    w.client.ask("answer", execution=x, step=q["step"], call=q["call"], value="yes")
    same(w.over(x)["state"], "succeeded")
    same(w.lines(), ["a"])


# --- across the end of an engine ------------------------------------------------------------------------------------------------------------


@test
def a_deadline_is_what_remained_of_it_though_the_clock_was_set_meanwhile(w):
    for jump in (-HOUR, HOUR):
        w.set_clock(0)
        before = len(w.lines())
        x = w.run(w.lua((w.append("a", "sleep 100"), "timeout=3s effect=idempotent")))
        w.until_line(before + 1)
        w.client.close()
        w.engine.kill()
        w.set_clock(jump)
        w.engine.start()
        w.client = w.engine.client()
        w.client.ask("resume", execution=x)
        w.until_line(before + 2)  # not struck by the jump: it is made again, as its effect allows
        same(w.over(x, 40)["state"], "timed_out")


@test
def a_retry_waits_for_no_more_than_its_delay_though_the_clock_was_set_back_meanwhile(w):
    x = w.run(w.lua((w.append("a") + ' if run.attempt == 1 then fail("the first time") end', "retry=1 delay=2s")))
    w.waits(x, "s0", "retry")
    w.client.close()
    w.engine.kill()
    w.set_clock(-HOUR)
    w.engine.start()
    w.client = w.engine.client()
    w.client.ask("resume", execution=x)
    same(w.over(x, 40)["state"], "succeeded")
    same(w.lines(), ["a", "a"])


@test
def jumps_and_kills_at_random_moments_lose_nothing_and_make_nothing_twice(w):
    random.seed(SEED)
    print("# seed %d, %d jumps" % (SEED, JUMPS), flush=True)
    # Longer than all jumps together: a record behind a clock that was set forward is all that another engine knows of how long an attempt has lasted.
    steps = [(w.append("%d" % i, "sleep 0.05"), "timeout=60d") for i in range(12)]
    done, jumps = 0, 0
    while jumps < JUMPS:
        base = len(w.lines())
        x = w.run(w.lua(*steps))
        while True:
            view = w.view(x)
            if view["state"] not in ("pending", "running", "waiting", "attention"):
                break
            if view["interrupted"]:
                w.client.ask("resume", execution=x)
                continue
            resolve_by_the_oracle(w, x, view, base)
            if jumps < JUMPS:
                time.sleep(random.random() * 0.1)
                w.set_clock(random.choice((-HOUR, HOUR, -5, 5, 0, -86400, random.randint(-HOUR, HOUR))))
                jumps += 1
                if random.random() < 0.4:
                    w.restart()
            time.sleep(0.01)
        same(view["state"], "succeeded")
        same(w.lines()[base:], ["%d" % i for i in range(12)])
        done += 1
    assert done > 0


def resolve_by_the_oracle(w, x, view, base):
    for s in view["steps"]:
        if s["waiting"] != "resolve":
            continue
        made = s["id"][1:] in w.lines()[base:]
        more = {"result": {}} if made else {}
        w.client.ask("resolve", execution=x, step=s["id"], answer="done" if made else "again", reason="the oracle says so", **more)


# --- what people gave for a time ------------------------------------------------------------------------------------------------------------


def with_people():
    """Those that take several users."""
    import test_rights as rights

    class ClockWorkspace(Clock, rights.Workspace):
        def elevate(self, x):
            self.client.ask("elevate", execution=x, elevation="break-glass", reason="the shop is down")

    out = []

    def a_clock_set_back_makes_no_approval_last_longer(w):
        mark = w.path("mark")
        w.rules("{id: two, require: {approvals: 2, from: group:dba, within: 3s}, when: {risk: destructive}}")
        x = w.run_as(w.client, rights.destroying(w, mark))
        w.waits(x, "drop", "approval")
        same(rights.approve(w.user("bin"), x)["missing"], 1)
        w.set_clock(-0.5)
        time.sleep(3.3)  # what is waited for is the passing of this time
        w.set_clock(-HOUR)
        same(rights.approve(w.user("sys"), x)["missing"], 1)
        w.set_clock(-2 * HOUR)
        same(rights.approve(w.user("bin"), x)["missing"], 1)
        assert not os.path.exists(mark)
        same(rights.approve(w.user("games"), x)["missing"], 0)
        same(w.over(x)["state"], "succeeded")

    def an_approval_that_was_read_back_counts_only_behind_its_own_time(w):
        mark = w.path("mark")
        w.rules("{id: two, require: {approvals: 2, from: group:dba, within: 10m}, when: {risk: destructive}}")
        x = w.run_as(w.client, rights.destroying(w, mark))
        w.waits(x, "drop", "approval")
        same(rights.approve(w.user("bin"), x)["missing"], 1)
        w.set_clock(-HOUR)
        w.restart()
        w.client.ask("resume", execution=x)
        w.waits(x, "drop", "approval")
        same(rights.approve(w.user("sys"), x)["missing"], 1)
        assert not os.path.exists(mark)
        same(rights.approve(w.user("bin"), x)["missing"], 0)
        same(w.over(x)["state"], "succeeded")

    def a_clock_set_back_makes_no_elevation_last_longer(w):
        w.policy(rights.POLICY.replace("for: 1h", "for: 2s") + "  - %s\n" % rights.FREEZE)
        go = w.path("go")
        source = 'sh({"sh", "-c", "echo a >> %s; until test -e %s; do sleep 0.02; done"})' % (w.path("oracle"), go)
        x = w.run(w.lua((source, "timeout=1h"), ('sh{"true"}', ""), permissions=("sh true", "sh sh -c *")), elevate="break-glass", reason="the shop is down")
        w.until_line(1)
        w.set_clock(-0.7)
        time.sleep(2.2)  # what is waited for is the passing of this time
        open(go, "w").close()
        v = w.over(x, 40)
        same(v["steps"][1]["state"], "denied")

    for t in (a_clock_set_back_makes_no_approval_last_longer, an_approval_that_was_read_back_counts_only_behind_its_own_time,
              a_clock_set_back_makes_no_elevation_last_longer):
        out.append(t)
    return out, ClockWorkspace


if __name__ == "__main__":
    status = run_tests(tests, world=ClockWorld)
    if os.geteuid() != 0:
        print("ok - # skipped: approvals and elevations of several users need root")
    else:
        people, world = with_people()
        status |= run_tests(people, world=world)
    sys.exit(status)
