#!/usr/bin/env python3
"""Secrets that come from Vault over HTTP: for commands and for requests, and what is said where they do not come."""
# limit: 180
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from host import everything_stored
from httpd import Httpd
from httpd_answers import behaviour
from test_http import result, why, write
from world import run_tests, same

tests = []
TOKEN = "hvs.CAESIJ-test-token"
DATA = {"secret/data/db": {"data": {"data": {"password": "correct-horse-battery", "port": 5432555, "deep": {"a": 1}}, "metadata": {"version": 3}}},
        "kv/db": {"data": {"password": "old-kind-of-value", "data": "is-a-field-too"}}, "secret/data/short": {"data": {"data": {"password": "short"}, "metadata": {}}}}


def test(f):
    tests.append(f)
    return f


@behaviour("v1")
def vault(c, request):
    path = request.path[len("/v1/"):]
    if request.header("X-Vault-Token") != TOKEN:
        c.answer_json(request, {"errors": ["permission denied"]}, 403)
    elif path in DATA:
        c.answer_json(request, DATA[path])
    elif path == "secret/data/strange":
        c.answer(request, '{"data": [1, "correct-horse-battery"')
    elif path == "secret/data/hang":
        c.until_closed()
    else:
        c.answer_json(request, {"errors": []}, 404)


def sources(w, server, token=TOKEN, **paths):
    write(w.path("token"), token + "\n")
    lines = ["token: {file: token}"]
    for name, what in paths.items():
        path, field = what.split("#")
        lines.append('%s: {vault: {address: "%s/", path: %s, field: %s, token: token}, timeout: 2s}' % (name, server.origin, path, field))
    write(w.path(".rung/secrets.yaml"), "version: 1\nsecrets:\n" + "".join("  %s\n" % l for l in lines), 0o644)


SH = ("sh sh -c *", "secret *")


def got(w, name):
    return w.over(w.run(w.lua("""return sh({"sh", "-c", 'printf %%s "$A" | rev'}, {env = {A = secret "%s"}}).stdout""" % name, permissions=SH)))


@test
def values_of_both_versions(w):
    with Httpd() as server:
        sources(w, server, v2="secret/data/db#password", v1="kv/db#password", number="secret/data/db#port", data="kv/db#data")
        for name, value in (("v2", "correct-horse-battery"), ("v1", "old-kind-of-value"), ("number", "5432555"), ("data", "is-a-field-too")):
            v = got(w, name)
            if name == "number":
                why(v, "number", "8 bytes")
            else:
                same(result(v), value[::-1])
        v = w.over(w.run(w.lua("""local a = sh({"sh", "-c", 'echo "$A $B"'}, {env = {A = secret "v2", B = secret "v1"}})
            local b = http.get("%s/echo", {auth = secret "v2"})
            local c = sh{"sh", "-c", "echo correct-horse-battery %s"}
            return {a.stdout, b.json.headers, c.stdout}""" % (server.origin, TOKEN), permissions=SH + ("http GET %s/**" % server.origin,))))
        a, headers, c = result(v)
        same(a, "[secret v2] [secret v1]\n")
        same(dict(map(tuple, headers))["Authorization"], "Bearer [secret v2]")
        same(next(q for q in server.requests if q.path == "/echo").header("Authorization"), "Bearer correct-horse-battery")
        same(c, "[secret v2] [secret token]\n")
        asked = [q for q in server.requests if q.path.startswith("/v1/")]
        same({(q.method, q.header("X-Vault-Request")) for q in asked}, {("GET", "true")})
        same([sorted(k["d"]["names"]) for k in w.records(v["execution"]) if k["k"] == "secret.used"], [["v1", "v2"], ["v2"]])
        stored = b"".join(everything_stored(w).values())
        assert b"old-kind-of-value" not in stored


@test
def what_is_said_where_it_does_not_come(w):
    with Httpd() as server:
        sources(w, server, none="secret/data/none#x", field="secret/data/db#user", deep="secret/data/db#deep", short="secret/data/short#password", strange="secret/data/strange#x", hang="secret/data/hang#x",
                list="kv/db#keys")
        for name, said in (("none", "data/ behind the mount"), ("field", "no field user"), ("deep", "no text"), ("short", "8 bytes"), ("strange", "nothing of Vault"), ("hang", "in its time"), ("list", "no field keys")):
            v = got(w, name)
            why(v, "secret " + name, said)
            assert "correct-horse" not in v["steps"][0]["why"]
        sources(w, server, token="hvs.another-token", x="secret/data/db#password")
        why(got(w, "x"), "status 403", "may its policies read it")
        sources(w, server, token="line one\nline two", x="secret/data/db#password")
        why(got(w, "x"), "control character")
        os.remove(w.path("token"))
        why(got(w, "x"), "secret token", "token")
    why(got(w, "x"), "secret token")
    write(w.path("token"), TOKEN)
    why(got(w, "x"), "no connection to 127.0.0.1")


@test
def it_comes_anew_after_a_restart(w):
    with Httpd() as server:
        sources(w, server, v2="secret/data/db#password")
        x = w.run(w.lua("""local a = sh({"sh", "-c", 'echo "$A"'}, {env = {A = secret "v2"}}).stdout
            ask{prompt = "go on?"}
            return a .. sh{"sh", "-c", "echo correct-horse-battery"}.stdout""", permissions=SH))
        w.waits(x, "s0", "answer")
        w.restart()
        w.client.ask("resume", execution=x)
        w.waits(x, "s0", "answer")
        w.client.ask("answer", execution=x, step="s0", call=2, value="yes")
        same(result(w.over(x)), "[secret v2]\n[secret v2]\n")


if __name__ == "__main__":
    sys.exit(run_tests(tests))
