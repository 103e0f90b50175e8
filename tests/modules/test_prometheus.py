#!/usr/bin/env python3
"""The module prometheus against a real Prometheus, and the shipped playbook that reads from one.

limit: 180"""
import os, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from prometheus import PROGRAM, Prometheus
from step import Steps, fails
from world import run_tests, same

RULES = """groups:
  - name: test
    rules:
      - {alert: TargetGone, expr: 'up == 0', for: 0s, labels: {severity: critical, team: web}, annotations: {summary: 'a target is gone'}}
      - {alert: NotYet, expr: 'up == 1', for: 1h, labels: {severity: info}}
"""
tests = []


def test(f):
    tests.append(f)
    return f


class WithServer(Steps):
    server = None

    def p(self, body, **more):
        rights = ["http GET %s/api/v1/*?**" % self.server.url, "http GET %s/api/v1/*" % self.server.url, "sh sleep *"]
        return self.lua_result('local p = prometheus("%s")\n%s' % (self.server.url, body), *rights, **more)


@test
def values_and_series(w):
    same(w.p('return {value = p:value("1 + 1"), text = p:value("0 / 0"), none = p:value("no_such_series") == nil}'), {"value": 2, "text": "NaN", "none": True})
    up = w.p('return p:query("up")')
    same(sorted((s["labels"]["job"], s["value"]) for s in up), [("gone", 0), ("self", 1)])
    fails(lambda: w.p('p:value("up")'), "2 series")
    fails(lambda: w.p('p:query("up{")'), "bad_data", "unexpected")
    fails(lambda: w.p('p:query("up[1m]")'), "ask for it with range")
    fails(lambda: w.lua_result('prometheus("http://127.0.0.1:1"):query("up")', "http GET http://127.0.0.1:1/api/v1/*?**"), "127.0.0.1:1")


@test
def ranges(w):
    got = w.p('return p:range("up{job=\\"self\\"}", {last = "2s", step = "1s"})')
    assert len(got) == 1 and 1 <= len(got[0]["points"]) <= 3 and got[0]["points"][-1]["value"] == 1, got


@test
def alerts_and_targets(w):
    r.deadline(30, "the alert", lambda: w.server.count('ALERTS{alertstate="firing"}') > 0)
    got = w.p('return p:alerts{severity = "critical"}')
    same([(a["name"], a["state"], a["labels"]["team"], a["annotations"]["summary"], a["value"]) for a in got], [("TargetGone", "firing", "web", "a target is gone", 0)])
    same(sorted(a["state"] for a in w.p("return p:alerts()")), ["firing", "pending"])
    same(sorted((t["job"], t["health"]) for t in w.p("return p:targets()")), [("gone", "down"), ("self", "up")])


@test
def waiting(w):
    got = w.p('local found, took = p:wait("up == 0", {every = "1s"}) return {job = found[1].labels.job, at_once = took < 1}')
    same(got, {"job": "gone", "at_once": True})
    fails(lambda: w.p('p:wait("up == 0", {gone = true, every = "1s", ["for"] = "2s"})'), "still gives 1 series")
    fails(lambda: w.p('p:wait("up == 7", {every = "1s", ["for"] = "1s"})'), "gives nothing yet")


def cause(w, **params):
    """What the shipped playbook says of this Prometheus' own requests."""
    given = dict({"prometheus": "127.0.0.1", "port": w.server.port, "selector": 'job="self"', "latency": "prometheus_http_request_duration_seconds",
                  "requests": "prometheus_http_requests_total"}, **params)
    x = w.run(os.path.abspath("playbooks/high-latency.md"), params=given, allow=["http GET %s/api/v1/query?**" % w.server.url])
    view = w.over(x, 60)
    same(view["state"], "succeeded")
    return {s["id"]: s for s in view["steps"]}


@test
def the_shipped_playbook_finds_no_slowness_where_there_is_none(w):
    s = cause(w, target_ms=600000)
    same((s["slow"]["state"], s["cause"]["result"]["cause"]), ("skipped", "none"))


@test
def the_shipped_playbook_goes_from_outside_in(w):
    s = cause(w, target_ms=1)
    assert s["slow"]["result"]["now_ms"] > 1, s["slow"]
    assert s["load"]["result"]["per_second"] > 0 and s["load"]["result"]["error_percent"] == 0, s["load"]
    same((s["hosts"]["result"]["found"], s["database"]["result"]["found"]), ([], []))
    same(s["cause"]["result"]["cause"], "none known")


if __name__ == "__main__":
    if not PROGRAM:
        print("ok - nothing to do # skip Prometheus is not installed")
        sys.exit(0)
    with Prometheus(RULES) as server:
        WithServer.server = server
        sys.exit(run_tests(tests, world=WithServer))
