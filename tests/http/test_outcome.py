#!/usr/bin/env python3
"""What becomes of a request that gets no answer: at every stage, for every effect class, and where engine or actor are killed in the middle. The server counts."""
# limit: 300
import os, socket, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from awkward import kill_actor
from httpd import Httpd
from httpd_answers import behaviour
from world import run_tests, same

tests = []
ANY = ["http {GET|POST} {o}/**?**"]


def test(f):
    tests.append(f)
    return f


held = threading.Event()


@behaviour("held")
def held_back(c, request):
    """/held/NAME: counts its effect as /effect does, then answers once the test lets it."""
    key, name = request.header("idempotency-key"), request.word(1)
    with c.server.lock:
        done = c.server.effects.setdefault(name, [])
        if key is None or key not in done:
            done.append(key)
        n = len(done)
    held.wait(60)
    c.answer(request, str(n))


def outcomes(w, v):
    """What the record has of each call, in order: started, finished OUTCOME, unknown WHY."""
    out = []
    for k in w.records(v["execution"]):
        if k["k"] in ("call.started", "call.finished", "call.unknown"):
            out.append(k["k"][5:] + (" " + (k["d"].get("outcome") or k["d"].get("why")) if k["k"] != "call.started" else ""))
    return out


def settled(w, server, path, effect, options=""):
    """(state of the step, its calls in the record, requests that came) of one request with that effect; a step that is unknown waits for a person."""
    before = len(server.requests)
    x = w.run(w.lua('return http.post("%s", {effect = "%s"%s}).status' % (server.url(path), effect, options), permissions=[p.replace("{o}", server.origin) for p in ANY]))
    def look():
        v = w.view(x)
        s = v["steps"][0]
        return v if s["state"] in ("succeeded", "failed", "unknown", "timed_out") else None
    v = r.deadline(60, "the step is settled", look)
    return v["steps"][0]["state"], outcomes(w, v), len(server.requests) - before


@test
def nothing_was_sent(w):
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    with Httpd() as server:
        server.origin_of = lambda name: "http://127.0.0.1:%d" % closed.getsockname()[1]
        for effect in ("once", "read", "idempotent", "keyed"):
            same(settled(w, server, "/x", effect), ("failed", ["started", "finished failed"], 0))
    with Httpd(tls="garbage") as server:
        same(settled(w, server, "/x", "once"), ("failed", ["started", "finished failed"], 0))


@test
def no_answer_came(w):
    with Httpd() as server:
        again = ["started"] * 3
        for path in ("/close", "/close/status", "/close?reset=1", "/lie/not-http", "/lie/no-number", "/lie/http-0.9"):
            same((path,) + settled(w, server, path, "once"), (path, "unknown", ["started", "unknown connection"], 1))
        for path in ("/close", "/lie/not-http"):
            same((path,) + settled(w, server, path, "read"), (path, "failed", again + ["finished failed"], 3))
            same((path,) + settled(w, server, path, "keyed"), (path, "unknown", again + ["unknown connection"], 3))
        keys = [q.header("idempotency-key") for q in server.requests if q.header("idempotency-key")]
        same([len(keys), len(set(keys))], [6, 2])


@test
def nobody_answers_in_time(w):
    quick = ', answer_timeout = "300ms"'
    with Httpd() as server:
        for path in ("/hang", "/hang/status", "/never-reads"):
            same((path,) + settled(w, server, path, "once", quick), (path, "unknown", ["started", "unknown deadline"], 1))
        same(settled(w, server, "/hang", "once", ', timeout = "300ms"'), ("unknown", ["started", "unknown deadline"], 1))
        same(settled(w, server, "/hang", "read", quick), ("failed", ["started", "finished timeout"], 1))
        same(settled(w, server, "/hang", "keyed", quick), ("unknown", ["started"] * 3 + ["unknown connection"], 3))


@test
def the_status_came_and_the_rest_did_not(w):
    with Httpd() as server:
        for path in ("/close/headers", "/close/body", "/close/chunk", "/lie/length-more", "/lie/chunk-no-end", "/lie/chunk-text", "/lie/chunk-huge"):
            same((path,) + settled(w, server, path, "once"), (path, "failed", ["started", "finished ok"], 1))
        for path in ("/hang/headers", "/slow-headers?rate=20", "/hang/body"):
            same((path,) + settled(w, server, path, "once", ', answer_timeout = "300ms"'), (path, "failed", ["started", "finished ok"], 1))
        same(settled(w, server, "/slow-body/1000?rate=20", "once", ', timeout = "500ms"'), ("failed", ["started", "finished ok"], 1))
        same(settled(w, server, "/close/body", "read"), ("failed", ["started"] * 3 + ["finished failed"], 3))
        same(settled(w, server, "/refuse-body", "once", ', body = "x"'), ("failed", ["started", "finished ok"], 1))
        same(settled(w, server, "/no-continue", "once", ', body = ("x"):rep(500000)'), ("succeeded", ["started", "finished ok"], 1))


@test
def a_kept_connection_that_breaks_is_no_reason_to_send_twice(w):
    with Httpd() as server:
        x = w.run(w.lua('http.get("%s") return http.post("%s").status' % (server.url("/echo"), server.url("/close")), permissions=[p.replace("{o}", server.origin) for p in ANY]))
        r.deadline(30, "unknown", lambda: w.view(x)["steps"][0]["state"] == "unknown")
        same([(q.method, q.connection, q.number) for q in server.requests], [("GET", 1, 1), ("POST", 1, 2)])


@test
def a_key_makes_it_happen_once(w):
    with Httpd() as server:
        same(settled(w, server, "/effect/a?lose=2", "keyed"), ("succeeded", ["started", "started", "started", "finished ok"], 3))
        same(len(server.effects["a"]), 1)
        same(settled(w, server, "/effect/b?lose=1", "once"), ("unknown", ["started", "unknown connection"], 1))
        same(len(server.effects["b"]), 1)


def in_the_middle(w, server, name, effect, kill):
    """Kills while the request is held back, lets the server answer, and takes the execution up again."""
    held.clear()
    x = w.run(w.lua('return tonumber(http.post("%s", {effect = "%s"}).body)' % (server.url("/held/" + name), effect), permissions=[p.replace("{o}", server.origin) for p in ANY]))
    r.deadline(30, "the request", lambda: name in server.effects)
    kill(x)
    held.set()
    try:
        w.client.ask("resume", execution=x)
    except r.Refused:
        pass  # it goes on by itself
    return r.deadline(60, "settled", lambda: (lambda v: v if v["steps"][0]["state"] in ("succeeded", "failed", "unknown") else None)(w.view(x)))


@test
def engine_and_actor_are_killed_in_the_middle(w):
    with Httpd() as server:
        for who, kill in (("engine", lambda x: w.restart()), ("actor", lambda x: kill_actor(w))):
            for effect, state, effects in (("once", "unknown", 1), ("keyed", "succeeded", 1), ("idempotent", "succeeded", 2)):
                name = who + effect
                v = in_the_middle(w, server, name, effect, kill)
                same((name, v["steps"][0]["state"]), (name, state))
                same((name, len(server.effects[name])), (name, effects))
                if effect == "keyed":
                    same(v["steps"][0]["result"], 1)


if __name__ == "__main__":
    sys.exit(run_tests(tests))
