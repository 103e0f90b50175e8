#!/usr/bin/env python3
"""HTTP requests of steps: what is sent, what comes back, and what is recorded of it."""
# limit: 300
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from httpd import Httpd
from world import run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


def run(w, source, *permissions, attributes="", server=None, **more):
    """The view of an execution with one step; {o} in source and permissions is the server's origin."""
    fill = lambda s: s.replace("{o}", server.origin) if server else s
    return w.over(w.run(w.lua((fill(source), attributes), permissions=[fill(p) for p in permissions] or [fill("http GET {o}/**?**")]), **more))


def result(v):
    same((v["state"], v["steps"][0].get("why")), ("succeeded", None))
    return v["steps"][0]["result"]


@test
def a_get_end_to_end(w):
    with Httpd() as server:
        v = run(w, 'local r = http.get("{o}/echo?b=2&a=1", {headers = {["X-A"] = "a b"}}) return {r.status, r.headers["content-type"], r.url, r.json.method, r.json.target, r.body == "" }', server=server)
        same(result(v), [200, "application/json", server.url("/echo?b=2&a=1"), "GET", "/echo?b=2&a=1", False])
        same(server.requests[0].header("X-A"), "a b")
        records = w.records(v["execution"])
        started = [k for k in records if k["k"] == "call.started"]
        same([(k["d"]["module"], k["d"]["function"], k["d"]["effect"]) for k in started], [("http", "get", "read")])


run_tests(tests)
