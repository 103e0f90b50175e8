#!/usr/bin/env python3
"""Escalations carried out: what raises one, whom it reaches in which order, who stops it, and what an engine's end leaves of it."""
# limit: 300
import json, os, signal, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from host import everything_stored
from httpd import Httpd
from oncall import OnCall, write
from smtpd import Smtpd
from world import run_tests, same

tests = []


def test(f):
    tests.append(f)
    return f


def ladder(w, levels, repeats=0, more=""):
    """A policy `web` that is the default: each level a name of a pager, waits of so many seconds."""
    names = sorted({n for n, _ in levels})
    w.oncall("people:\n" + "".join("  %s: {channels: [%s]}\n" % (n, w.pager(n)) for n in names) + "policies:\n  web:\n    repeats: %d\n    levels:\n" % repeats +
             "".join("      - {who: %s, wait: %ds}\n" % l for l in levels) + "defaults: {policy: web}\n" + more)


def reached(w, name, count=1, timeout=20):
    return r.deadline(timeout, "%s is reached" % name, lambda: w.pages(name) if len(w.pages(name)) >= count else None)


def incident_of(w, name="ana"):
    return reached(w, name)[0]["incident"]


@test
def a_step_that_fails_reaches_the_levels_one_after_the_other(w):
    ladder(w, [("ana", 2), ("bo", 30)])
    v = w.over(w.run(w.lua('sh{"false"}')))
    same(v["state"], "failed")
    page = reached(w, "ana")[0]
    same((page["kind"], page["trigger"], page["person"], page["level"], page["policy"], page["execution"], page["step"]), ("escalation", "failed", "ana", 1, "web", v["execution"], "s0"))
    same(w.pages("bo"), [])
    page = reached(w, "bo")[0]
    same((page["level"], page["incident"]), (2, incident_of(w)))
    same(len(w.pages("ana")), 1)
    r.deadline(10, "what became of it is recorded", lambda: len(w.journal(page["incident"])) >= 10)
    kinds = [k["k"] for k in w.journal(page["incident"])]
    same(kinds, ["incident.opened", "execution.linked", "escalation.raised", "level.reached", "notification.started", "execution.ended", "notification.finished", "level.reached",
                 "notification.started", "notification.finished"])


sys.exit(run_tests(tests, world=OnCall))
