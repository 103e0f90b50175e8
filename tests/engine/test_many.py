#!/usr/bin/env python3
"""What an engine holds at most: as many open incidents as there may be, and alerts that come again and again.

build: release
limit: 240"""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import alertworld as aw
from alertworld import Alerts, alert
from world import run_tests, same

MOST = 100000
AT_ONCE = 4000
tests = []


def test(f):
    tests.append(f)
    return f


class Many(Alerts):
    bindings = "defaults: {as: alert-bot}\n"


@test
def where_as_many_are_open_as_may_be_alerts_that_are_over_are_taken(w):
    for at in range(0, MOST, AT_ONCE):
        w.send(*(alert("Storm", "f%d" % n) for n in range(at, at + AT_ONCE)))
    same(w.client.ask("incidents", limit=1)["open"], MOST)
    w.refused("full", lambda: w.one("Storm", "another"))
    # What opens nothing is taken: one that fires still, and one that is over. There is room behind that.
    same([d["outcome"] for d in w.send(alert("Storm", "f1"), alert("Storm", "f2", "resolved"), alert("Storm", "unheard of", "resolved"))], ["unbound", "resolves", "resolves"])
    same(w.client.ask("incidents", limit=1)["open"], MOST - 1)
    same(w.one("Storm", "another")["outcome"], "unbound")
    w.refused("full", lambda: w.send(alert("Storm", "f3", "resolved"), alert("Storm", "one more")))


def kibibytes(w):
    """What the engine holds in memory."""
    with open("/proc/%d/status" % w.engine.process.pid) as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


@test
def alerts_that_say_something_new_each_time_take_no_more_memory(w):
    """An incident that is open for weeks: of each alert the engine holds what it said last."""
    def come(times):
        for k in times:
            w.send(*(dict(alert("Storm", "f%d" % n), annotations={"value": str(k)}) for n in range(100)))
    come(range(200))
    before = kibibytes(w)
    come(range(200, 600))
    grown = kibibytes(w) - before
    assert grown < 1500, "40,000 words of 100 alerts took %d KiB" % grown


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Many))
