#!/usr/bin/env python3
"""What guard rails remember while nobody can read alerts.yaml: as much as before, also where another engine starts meanwhile. The engine's wall clock is ours to set.

limit: 120"""
import os, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("tools", "hostile"):
    sys.path.insert(0, os.path.join(HERE, "..", folder))
import alertworld as aw
import rungclient as r
from alertworld import Alerts
from test_clock import HOUR, Clock
from world import run_tests, same

tests = []
BROKEN = "version: 1\nsources: {\n"


def test(f):
    tests.append(f)
    return f


class Cooling(Clock, Alerts):
    bindings = aw.BINDINGS.replace("cooldown: 0s", "cooldown: 24h")


def ran_two_hours_ago(w):
    same(w.one()["outcome"], "starts")
    w.until_ran(1)
    w.idle()
    w.one(state="resolved")
    w.set_clock(2 * HOUR)
    w.write(".rung/alerts.yaml", BROKEN)
    r.deadline(20, "the engine sees that it is broken", lambda: "no alerts are received" in w.log_tail())


def holds(w):
    w.write(".rung/alerts.yaml", aw.SOURCES + w.bindings)
    d = w.one(starts="2026-11-29T23:00:00Z")
    same((d["outcome"], d["rail"]), ("suppressed", "cooldown"))


@test
def an_engine_that_starts_with_a_broken_file_remembers(w):
    ran_two_hours_ago(w)
    w.restart()
    holds(w)


@test
def an_engine_whose_file_is_broken_for_a_while_remembers(w):
    ran_two_hours_ago(w)
    time.sleep(12)  # what is old is forgotten each ten seconds
    holds(w)


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Cooling))
