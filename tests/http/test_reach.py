#!/usr/bin/env python3
"""Where HTTP requests of steps may go: redirects and what goes along, addresses behind names, certificates."""
# limit: 300
import os, shlex, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from certificates import Certificates
from host import Host
from httpd import Httpd
from names import Names
from test_http import result, run, secrets, why, write
from world import World, run_tests, same, states

tests = []
HEADERS = ("Authorization", "X-Api-Key", "Cookie", "Accept", "Content-Type")


def test(f):
    tests.append(f)
    return f


class NamedWorld(World):
    """Its engine sees the names of w.names."""

    def prepare(self):
        self.names = Names(dict(TABLE))
        os.makedirs(self.path(".rung"), exist_ok=True)
        program = self.path("rung-with-names")
        write(program, "#!/bin/sh\nexec %s %s \"$@\"\n" % (" ".join(shlex.quote(a) for a in self.names.prefix), os.path.abspath(self.engine.program)), 0o755)
        self.engine.program = program

    def end(self):
        super().end()
        self.names.stop()


def seen(request):
    return [request.header(h) for h in HEADERS]


@test
def each_hop_has_its_own_right_and_record(w):
    with Httpd() as a, Httpd() as b:
        source = 'local r = http.get("{o}/chain/2?to=%s") return {r.status, r.url, r.body}' % b.url("/echo")
        v = run(w, a, source, ["http GET {o}/**?**"])
        same(states(v), ["denied"])
        same(v["denied"][0]["pattern"], "http GET " + b.url("/echo"))
        same(len(b.requests), 0)
        v = run(w, a, source, ["http GET {o}/**?**", "http GET %s/echo" % b.origin])
        same(result(v)[:2], [200, b.url("/echo")])
        same(len([k for k in w.records(v["execution"]) if k["k"] == "call.started"]), 3)
        v = run(w, a, source, ["http GET {o}/chain/2?**", "http GET %s/echo" % b.origin])
        same((states(v), v["denied"][0]["pattern"][:len("http GET '" + a.url("/chain/1"))]), (["denied"], "http GET '" + a.url("/chain/1")))


@test
def methods_of_redirects(w):
    with Httpd() as server:
        v = run(w, server, """local out = {}
            for _, code in ipairs{301, 302, 303, 307, 308} do
                for _, method in ipairs{"POST", "PUT", "HEAD"} do
                    http.request(method, "{o}/redirect?to=/echo%3Fat%3D" .. code .. "&code=" .. code, {body = method ~= "HEAD" and "b" or nil, headers = {["Content-Type"] = "x/y"}})
                end
            end""", ["http {GET|POST|PUT|HEAD} {o}/**?**"])
        result(v)
        got = {}
        for q in server.requests:
            if q.path == "/echo":
                got.setdefault(int(q.query["at"]), []).append((q.method, q.body.decode(), q.header("Content-Type")))
        kept, post, head = ("PUT", "b", "x/y"), ("POST", "b", "x/y"), ("HEAD", "", "x/y")
        same(got, {301: [("GET", "", None), kept, head], 302: [("GET", "", None), kept, head], 303: [("GET", "", None), ("GET", "", None), head], 307: [post, kept, head], 308: [post, kept, head]})


@test
def redirects_have_an_end(w):
    with Httpd() as server:
        v = run(w, server, """local out = {}
            for _, x in ipairs{{"/loop"}, {"/chain/11"}, {"/chain/10"}, {"/chain/3", {max_redirects = 2}}, {"/chain/3", {max_redirects = 0}}, {"/nowhere"}, {"/redirect?to=ftp://h/x"}, {"/redirect?to=//"},
                {"/redirect?to=http://u:p@127.0.0.1/"}, {"/redirect?to=http://127.0.0.1%5C@x/"}} do
                local ok, r = pcall(http.get, "{o}" .. x[1], x[2])
                out[#out + 1] = ok and r.status or r.why:match("http: GET (.*)") or r.why
            end
            return out""", ["http GET {o}/**?**"])
        got = result(v)
        for i, said in enumerate(("redirects to itself", "max_redirects is reached", 200, "max_redirects is reached", 302, 302, "neither http nor https", "the host is missing", "user name", "backslash")):
            assert got[i] == said if isinstance(said, int) else said in str(got[i]), (i, got[i], said)


@test
def locations_are_resolved_as_the_rfc_says(w):
    wanted = {"g": "/b/c/g", "./g": "/b/c/g", "g/": "/b/c/g/", "/g": "/g", "?y": "/b/c/d?y", "g?y": "/b/c/g?y", "g#s": "/b/c/g", ".": "/b/c/", "./": "/b/c/", "..": "/b/", "../": "/b/", "../g": "/b/g",
              "../..": "/", "../../../g": "/g", "/./g": "/g", "/../g": "/g", "./../g": "/b/g", "g/./h": "/b/c/g/h", "g/../h": "/b/c/h", "a b\u00e9": "/b/c/a%20b%C3%A9"}
    with Httpd() as server:
        answers = server.raw["/b/c/d"] = []
        for to in wanted:
            if answers and to == "g?y":
                answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # to where "?y" leads
            answers.append(("HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % to).encode())
        v = run(w, server, 'local out = {} for i = 1, %d do out[i] = http.get("{o}/b/c/d", {max_redirects = 1, check = false}).url end return out' % len(wanted), ["http GET {o}/**?**"])
        result(v)
        targets = [q.target for q in server.requests if q.target != "/b/c/d"]
        same(targets, list(wanted.values()))


@test
def credentials_stay_with_their_origin(w):
    given = secrets(w, token="tok-8f7e6d5c4b", key="key-8f7e6d5c4b")
    with Httpd() as a, Httpd() as b:
        options = '{auth = secret "token", headers = {["X-Api-Key"] = "k", Cookie = "c=1", Accept = "a/b", ["Content-Type"] = "t/t", ["X-S"] = secret "key"}}'
        any_of_both = ["http {GET|POST} {o}/**?**", "http {GET|POST} %s/**?**" % b.origin] + given
        v = run(w, a, 'http.get("{o}/redirect?to=/echo", %s) http.get("{o}/redirect?to=%s", %s)' % (options, b.url("/echo"), options), any_of_both)
        result(v)
        same(seen(a.requests[1]), ["Bearer tok-8f7e6d5c4b", "k", "c=1", "a/b", "t/t"])
        same(seen(b.requests[0]), [None, None, None, "a/b", "t/t"])
        same(b.requests[0].header("X-S"), None)
        # Back to the first origin it stays without them.
        v = run(w, a, 'http.get("{o}/redirect?to=%s", %s)' % (b.url("/redirect?to=%s" % a.url("/echo")), options), any_of_both)
        result(v)
        same(seen(a.requests[-1])[:3], [None, None, None])
        # A body with a secret is not sent to another origin; one without is.
        why(run(w, a, 'http.post("{o}/redirect?code=307&to=%s", {json = {a = secret "key"}})' % b.url("/echo"), any_of_both), "redirects to another origin", "and the body holds a secret")
        before = len(b.requests)
        result(run(w, a, 'http.post("{o}/redirect?code=307&to=%s", {json = {a = 1}})' % b.url("/echo"), any_of_both))
        same([q.body for q in b.requests[before:]], [b'{"a":1}'])


@test
def what_names_a_host_on_the_inside(w):
    with Httpd() as server:
        p = server.port
        ask = 'return http.get("http://127.0.0.1:%d/status/200").status' % p
        for pattern, may in (("http GET http://127.0.0.1:%d/**" % p, True), ("http GET http://{127.0.0.1|10.0.0.1}:%d/**" % p, True), ("http GET http://127.0.*.*:%d/**" % p, True),
                             ("http GET http://127.*.*.*:%d/**" % p, False), ("http GET http://{param:h}:%d/**" % p, False)):
            v = w.over(w.run(w.lua(ask, permissions=[pattern], head="## Parameters\n\n| Name | Type | Default |\n|---|---|---|\n| h | string | 127.0.0.1 |\n")))
            if may:
                same(result(v), 200)
            else:
                why(v, "127.0.0.1 is 127.0.0.1:%d, an address that is loopback" % p, "written out")
        same(len(server.requests), 3)
        # What allows it is what names it: where a policy grants, the book's own patterns do not.
        for grant, may in (("http GET http://127.*.*.*:%d/**" % p, False), ("http GET http://127.0.0.1:%d/**" % p, True)):
            write(w.path(".rung/policy.yaml"), "version: 1\nrules:\n  - {id: g, allow: [run, read], who: ['*'], books: ['**'], grants: ['%s']}\n" % grant, 0o644)
            v = w.over(w.run(w.lua(ask, permissions=["http GET http://127.0.0.1:%d/**" % p]), declared=False))
            if may:
                same(result(v), 200)
            else:
                why(v, "an address that is loopback")


TABLE = {"inside.test": ["127.0.0.1"], "mixed.test": ["192.0.2.1", "127.0.0.1"], "meta.test": ["169.254.169.254"], "rebind.test": [["127.0.0.1"], ["169.254.169.254"]], "silent.test": None,
         "reserved.test": ["192.0.2.1"], "mapped.test": ["::ffff:169.254.169.254"], "unspecified.test": ["0.0.0.0"]}


def named(w, server, host, pattern, *said, path="/status/200"):
    v = w.over(w.run(w.lua('return http.get("http://%s:%d%s", {connect_timeout = "1s"}).status' % (host, server.port, path), permissions=[pattern.replace("{p}", str(server.port))])))
    if not said:
        same(result(v), 200)
    for part in said:
        assert part in (v["steps"][0]["why"] or ""), (host, part, v["steps"][0])


def names_and_where_they_lead(w):
    with Httpd() as server:
        literal = lambda name: "http GET http://%s:{p}/**" % name
        named(w, server, "inside.test", literal("inside.test"))
        named(w, server, "INSIDE.test", literal("inside.test"))
        named(w, server, "inside.test", literal("*.test"), "inside.test is at 127.0.0.1:%d, an address that is loopback" % server.port)
        named(w, server, "mixed.test", literal("mixed.test"))
        named(w, server, "meta.test", literal("meta.test"), "cloud metadata")
        named(w, server, "mapped.test", literal("mapped.test"), "cloud metadata")
        named(w, server, "reserved.test", literal("reserved.test"), "reserved")
        named(w, server, "unspecified.test", literal("unspecified.test"), "unspecified")
        named(w, server, "nothing.test", literal("nothing.test"), "has no address")
        named(w, server, "silent.test", literal("silent.test"), "could not be looked up in time")
        same({q.header("Host") for q in server.requests}, {"inside.test:%d" % server.port, "mixed.test:%d" % server.port})


def a_name_that_leads_elsewhere_the_next_time(w):
    with Httpd() as server:
        server.raw["/close"] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        v = w.over(w.run(w.lua("""local u, out = "http://rebind.test:%d/close", {}
            for i = 1, 2 do
                local ok, r = pcall(http.get, u)
                out[i] = ok and r.status or r.why
            end
            return out""" % server.port, permissions=["http GET http://rebind.test:%d/**" % server.port])))
        got = result(v)
        same(got[0], 200)
        assert "169.254.169.254" in got[1] and "cloud metadata" in got[1], got
        same(w.names.asked["rebind.test"], 2)  # once for each request: nobody else asks


@test
def certificates(w):
    with Certificates() as c:
        ca = open(c.ca).read()
        good, other = c.server("127.0.0.1"), c.server("other.test")
        cases = [("good", good, None), ("wrong name", other, "for another name"), ("expired", c.server("127.0.0.1", expired=True), "has expired"),
                 ("not yet", c.server("127.0.0.1", not_yet=True), "not valid yet"), ("self-signed", c.server("127.0.0.1", self_signed=True), "not trusted here")]
        for name, pair, said in cases:
            with Httpd(tls=pair) as server:
                v = run(w, server, 'return http.get("{o}/echo", {ca = [[%s]]}).status' % ca, ["http GET {o}/**"])
                if said:
                    why(v, "the certificate of 127.0.0.1 is not accepted", said)
                    same([k["d"]["outcome"] for k in w.records(v["execution"]) if k["k"] == "call.finished"], ["failed"])
                else:
                    same(result(v), 200)
                same(len(server.requests), 0 if said else 1)
        with Httpd(tls=good) as server:
            why(run(w, server, 'http.get("{o}/echo")', ["http GET {o}/**"]), "not trusted here", "http: {ca: FILE}")
        with Httpd(tls="garbage") as server, Httpd(tls="hang") as silent:
            why(run(w, server, 'http.get("%s/echo")' % server.origin.replace("http:", "https:"), ["http GET https://127.0.0.1:%d/**" % server.port]), "TLS with 127.0.0.1")
            why(run(w, silent, 'http.get("%s/echo", {connect_timeout = "1s"})' % silent.origin.replace("http:", "https:"), ["http GET https://127.0.0.1:%d/**" % silent.port]), "connect_timeout")
        # A client's certificate.
        ana = c.client("ana")
        write(w.path("secrets/key"), open(ana[1]).read())
        write(w.path(".rung/secrets.yaml"), "version: 1\nsecrets:\n  key: {file: secrets/key}\n", 0o644)
        with Httpd(tls=good, client_ca=c.ca) as server:
            v = run(w, server, 'return http.get("{o}/echo", {ca = [[%s]], certificate = [[%s]], key = secret "key"}).json.client' % (ca, open(ana[0]).read()), ["http GET {o}/**", "secret key"])
            same(result(v), "ana")
            same(run(w, server, 'http.get("{o}/echo", {ca = [[%s]]})' % ca, ["http GET {o}/**"])["state"], "failed")
        # From https to http only where that is asked for.
        with Httpd(tls=good) as server, Httpd() as plain:
            both = ["http GET {o}/**?**", "http GET %s/**" % plain.origin]
            source = 'return http.get("{o}/redirect?to=%s", {ca = [[%s]]%s}).status'
            why(run(w, server, source % (plain.url("/echo"), ca, ""), both), "where nothing is encrypted")
            same(result(run(w, server, source % (plain.url("/echo"), ca, ", insecure_redirects = true"), both)), 200)


@test
def authorities_of_the_configuration(_):
    """http: {ca: FILE}, and what it says now is what the next execution gets."""
    with Certificates() as mine, Certificates() as others, Httpd(tls=mine.server("127.0.0.1")) as server, Host("version: 1\nhttp: {ca: %s}\n" % mine.ca) as h:
        h.start()
        ask = lambda: h.over(h.run(h.lua('return http.get("%s").status' % server.url("/status/200"), permissions=["http GET %s/**" % server.origin])))
        same(result(ask()), 200)
        h.engine.say("version: 1\nhttp: {ca: %s}\n" % others.ca)
        why(ask(), "not trusted here")
        h.engine.say("version: 1\nhttp: {ca: /nowhere.pem}\n")
        why(ask(), "cannot be read", "http: {ca: FILE}")
        h.engine.say("version: 1\nhttp: {ca: %s}\n" % mine.ca)
        same(result(ask()), 200)


if __name__ == "__main__":
    failed = run_tests(tests)
    if os.geteuid() == 0:
        failed += run_tests([names_and_where_they_lead, a_name_that_leads_elsewhere_the_next_time], world=NamedWorld)
    else:
        print("ok - names and where they lead # skip it takes root")
    sys.exit(1 if failed else 0)
