#!/usr/bin/env python3
"""Who sees an incident, wakes others for it and answers it: each person is a real user of the operating system at the engine's socket. Needs root, to be others.

limit: 120"""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from awkward import refused
from test_rights import Workspace, denied
from world import run_tests, same

tests = []
SECRET = "the plans of the vault"
ONCALL = """version: 1
people: {bin: {channels: [{command: ["true"]}]}, sys: {channels: [{command: ["true"]}]}}
policies: {web: {levels: [{who: bin, wait: 1h}, {who: sys, wait: 1h}]}}
defaults: {policy: web}
"""


def test(f):
    tests.append(f)
    return f


def opened(w):
    w.rules('{id: respond, allow: [respond], who: ["user:root"], books: ["**"]}')
    return w.client.ask("incident.open", title=SECRET)["incident"]


@test
def the_report_of_an_incident_is_for_those_who_may_see_it(w):
    i = opened(w)
    assert SECRET in str(w.client.ask("incident.report", incident=i, format="json"))
    stranger = w.user("lp")
    denied(lambda: stranger.ask("incident.show", incident=i))
    for format in ("json", "markdown"):
        denied(lambda: stranger.ask("incident.report", incident=i, format=format))


@test
def nobody_is_woken_by_who_may_not_see_the_incident(w):
    w.write(".rung/oncall.yaml", ONCALL)
    i = opened(w)
    denied(lambda: w.user("lp").ask("escalate", id=i, reason="out of mischief"))
    assert "raised" not in w.client.ask("incident.show", incident=i)
    x = w.run_as(w.user("daemon"), w.book([{"title": "By hand"}]), mode="guided")
    denied(lambda: w.user("lp").ask("escalate", id=x, reason="out of mischief"))
    same(len(w.client.ask("incidents")["incidents"]), 1)
    mine = w.user("daemon").ask("escalate", id=x, reason="I drive it, and am lost")["incident"]
    denied(lambda: w.user("lp").ask("escalate", id=mine, reason="out of mischief"))
    same(w.user("daemon").ask("escalate", id=x, reason="still")["incident"], mine)


@test
def who_is_called_may_see_and_acknowledge(w):
    """A message says `rung ack`: it has to work for whom it went to, and for nobody else."""
    w.write(".rung/oncall.yaml", ONCALL)
    i = opened(w)
    denied(lambda: w.user("bin").ask("incident.ack", incident=i))
    w.client.ask("escalate", id=i, reason="look")
    denied(lambda: w.user("lp").ask("incident.ack", incident=i))
    same(w.user("bin").ask("incident.show", incident=i)["title"], SECRET)
    same([x["incident"] for x in w.user("bin").ask("incidents")["incidents"]], [i])
    denied(lambda: w.user("bin").ask("incident.resolve", incident=i, reason="so there"))
    same(w.user("bin").ask("incident.ack", incident=i)["state"], "acknowledged")
    same(w.client.ask("incident.show", incident=i)["acknowledged_by"], "user:bin")


def left_alone(w):
    """An incident that bin, who has no right but to be called, has put off; nobody else was called yet."""
    w.write(".rung/oncall.yaml", ONCALL)
    i = opened(w)
    w.client.ask("escalate", id=i, reason="look")
    bin = w.user("bin")
    assert bin.ask("incident.put_off", incident=i, **{"for": "1h"})["until_us"]
    same(bin.ask("incident.show", incident=i)["raised"]["state"], "held")
    return i, bin


@test
def who_was_not_called_yet_sees_nothing_also_where_it_was_put_off(w):
    i, bin = left_alone(w)
    denied(lambda: w.user("sys").ask("incident.show", incident=i))
    denied(lambda: w.user("sys").ask("incident.put_off", incident=i, **{"for": "2h"}))
    w.restart()
    denied(lambda: w.user("sys").ask("incident.ack", incident=i))
    # Somebody has it, and somebody is asked for again: that is bin anew.
    same(w.user("bin").ask("incident.ack", incident=i)["state"], "acknowledged")
    w.client.ask("escalate", id=i, reason="once more")
    denied(lambda: w.user("sys").ask("incident.show", incident=i))
    w.client.ask("escalate", id=i, reason="the next one")
    same(w.user("sys").ask("incident.show", incident=i)["title"], SECRET)


@test
def who_was_called_hears_that_it_is_over(w):
    i, bin = left_alone(w)
    w.client.ask("incident.resolve", incident=i, reason="it was nothing")
    for op, more in (("incident.ack", {}), ("incident.put_off", {"for": "1h"})):
        refused(lambda: bin.ask(op, incident=i, **more), "conflict", "is resolved")
        denied(lambda: w.user("sys").ask(op, incident=i, **more))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("ok - # skipped: being other users needs root")
        sys.exit(0)
    sys.exit(run_tests(tests, world=Workspace))
