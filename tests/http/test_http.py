#!/usr/bin/env python3
"""HTTP requests of steps: what is sent, what comes back, what is recorded, and that no secret of a request is in any of it."""
# limit: 300
import base64, json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from host import everything_stored
from httpd import Httpd
from world import run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


def write(path, data, mode=0o600):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(data)
    os.chmod(path, mode)


def secrets(w, **values):
    for name, value in values.items():
        write(w.path("secrets/" + name), value)
    write(w.path(".rung/secrets.yaml"), "version: 1\nsecrets:\n" + "".join("  %s: {file: secrets/%s}\n" % (n, n) for n in values), 0o644)
    return ["secret " + n for n in values]


ANY = ["http {GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|REPORT} {o}/**?**"]


def run(w, server, source, permissions=ANY, attributes="", **more):
    """The view of an execution with one step; {o} in source and permissions is the server's origin."""
    fill = lambda s: s.replace("{o}", server.origin)
    return w.over(w.run(w.lua((fill(source), attributes), permissions=[fill(p) for p in permissions]), **more), 120)


def result(v):
    same((v["state"], v["steps"][0].get("why")), ("succeeded", None))
    return v["steps"][0]["result"]


def why(v, *parts):
    same(v["state"], "failed")
    for p in parts:
        assert p in v["steps"][0]["why"], v["steps"][0]["why"]


@test
def a_get_and_what_is_recorded(w):
    with Httpd() as server:
        v = run(w, server, 'local r = http.get("{o}/echo?b=2&a=1", {headers = {["X-A"] = "a b"}, query = {z = {1, 2}, ["é"] = "x y"}})\n'
                           'return {r.status, r.headers["content-type"], r.url, r.json.method, r.json.target, r.peer, r.version, r.incomplete == nil}')
        target = "/echo?b=2&a=1&z=1&z=2&%C3%A9=x%20y"
        same(result(v), [200, "application/json", server.url(target), "GET", target, "127.0.0.1:%d" % server.port, "1.1", True])
        sent = server.requests[0]
        same((sent.header("X-A"), sent.header("Accept-Encoding"), sent.header("User-Agent")[:5], sent.header("Expect"), sent.header("Cookie")), ("a b", "gzip", "rung/", None, None))
        records = w.records(v["execution"])
        started = [k["d"] for k in records if k["k"] == "call.started"]
        same([(d["module"], d["function"], d["effect"]) for d in started], [("http", "get", "read")])
        order = [k["k"] for k in records]
        assert order.index("call.started") < order.index("call.finished")


@test
def methods_and_bodies(w):
    with Httpd() as server:
        v = run(w, server, """local out = {}
            local function sent(r) out[#out + 1] = {r.json.method, r.json.body} end
            sent(http.post("{o}/echo", {json = {b = {1, 2}, a = "x"}}))
            sent(http.put("{o}/echo", {form = {b = "x y&z", a = {1, true}}}))
            sent(http.patch("{o}/echo", {body = "a\\0b", headers = {["Content-Type"] = "x/y"}}))
            sent(http.delete("{o}/echo"))
            sent(http.post("{o}/echo"))
            sent(http.request("REPORT", "{o}/echo", {body = "r"}))
            sent(http.request("options", "{o}/echo"))
            local h = http.head("{o}/echo")
            out[#out + 1] = {h.status, h.body}
            sent(http.post("{o}/echo", {form = {a = "1"}, files = {f = {name = "x.txt", content = "hello rung-boundary-0", type = "text/plain"}}}))
            return out""")
        got = result(v)
        same(got[:8], [["POST", '{"a":"x","b":[1,2]}'], ["PUT", "a=1&a=true&b=x%20y%26z"], ["PATCH", "a\0b"], ["DELETE", ""], ["POST", ""], ["REPORT", "r"], ["OPTIONS", ""], [200, ""]])
        same(got[8][1], '--rung-boundary-1\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--rung-boundary-1\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
                        'Content-Type: text/plain\r\n\r\nhello rung-boundary-0\r\n--rung-boundary-1--\r\n')
        same([r.header("Content-Type") for r in server.requests[:5]], ["application/json", "application/x-www-form-urlencoded", "x/y", None, None])
        same([r.header("Content-Length") for r in server.requests[3:5]], [None, "0"])
        same(server.requests[8].header("Content-Type"), "multipart/form-data; boundary=rung-boundary-1")
        effects = [k["d"]["effect"] for k in w.records(v["execution"]) if k["k"] == "call.started"]
        same(effects, ["once"] * 6 + ["read", "read", "once"])


@test
def connections_are_used_again(w):
    with Httpd() as server:
        v = run(w, server, """local out = {}
            for i = 1, 5 do out[i] = http.get("{o}/echo").json.connection end
            each({1, 2, 3}, function() http.get("{o}/echo") end)
            return out""")
        got = result(v)
        same(got, got[:1] * 5)
        assert server.connections <= 3, server.connections


@test
def an_error_has_the_answer(w):
    with Httpd() as server:
        v = run(w, server, """local ok, e = pcall(http.get, "{o}/status/404?body=no+such+thing")
            local quiet = http.get("{o}/status/503", {check = false})
            local fine = http.get("{o}/status/404", {ok = {200, 404}})
            local ok2, e2 = pcall(http.get, "{o}/status/200", {ok = 204})
            return {ok, e.status, e.body, e.headers["content-type"], e.url, e.why, quiet.status, fine.status, ok2, e2.status}""")
        url = server.url("/status/404?body=no%20such%20thing").replace("%20", "+")
        same(result(v), [False, 404, "no such thing", "text/plain", url, "http: GET %s answered with status 404: no such thing" % url, 503, 404, False, 200])
        why(run(w, server, 'http.get("{o}/status/500")'), "http: GET", "answered with status 500", "(book2.md:")


@test
def secrets_go_to_the_server_alone(w):
    given = secrets(w, token="tok-8f7e6d5c4b", user="us-er-77120", pass1="pa\"ss w\u00f6rd&9", hdr="hdr-12345678")
    needed = ANY + given
    with Httpd() as server:
        server.raw["/raw"] = b"HTTP/1.1 200 OK\r\nX-Echo: hdr-12345678\r\nContent-Length: 0\r\n\r\n"
        v = run(w, server, """local out = {}
            local function sent(r) out[#out + 1] = r.body out[#out + 1] = r.redacted end
            sent(http.get("{o}/echo", {auth = secret "token"}))
            sent(http.get("{o}/echo", {auth = {user = "ana", password = secret "pass1"}}))
            sent(http.post("{o}/echo", {json = {a = secret "pass1", b = {secret "token"}, c = 1}}))
            sent(http.post("{o}/echo", {form = {a = secret "pass1", b = "2"}}))
            sent(http.post("{o}/echo", {body = secret "pass1", headers = {["X-Key"] = secret "hdr"}}))
            sent(http.post("{o}/echo", {files = {f = secret "hdr"}}))
            local h = http.get("{o}/raw")
            out[#out + 1] = h.headers["x-echo"]
            return out""", needed)
        got = result(v)
        r = server.requests
        same(r[0].header("Authorization"), "Bearer tok-8f7e6d5c4b")
        same(base64.b64decode(r[1].header("Authorization")[6:]).decode(), "ana:pa\"ss w\u00f6rd&9")
        same(json.loads(r[2].body), {"a": "pa\"ss w\u00f6rd&9", "b": ["tok-8f7e6d5c4b"], "c": 1})
        same(r[3].body, b"a=pa%22ss%20w%C3%B6rd%269&b=2")
        same((r[4].body.decode(), r[4].header("X-Key")), ("pa\"ss w\u00f6rd&9", "hdr-12345678"))
        assert b"\r\n\r\nhdr-12345678\r\n" in r[5].body
        same(got[1:12:2], [True] * 6)
        same(got[12], "[secret hdr]")
        used = [(k["c"], sorted(k["d"]["names"])) for k in w.records(v["execution"]) if k["k"] == "secret.used"]
        same(used, [(1, ["token"]), (2, ["pass1"]), (3, ["pass1", "token"]), (4, ["pass1"]), (5, ["hdr", "pass1"]), (6, ["hdr"])])
        stored = b"".join(everything_stored(w).values())
        for value in (b"tok-8f7e6d5c4b", b"ss w\xc3\xb6rd", b"ss%20w", b"hdr-12345678", base64.b64encode(b"ana:pa\"ss w")[8:]):
            assert value not in stored, value


@test
def a_secret_needs_its_right_and_its_place(w):
    secrets(w, token="tok-8f7e6d5c4b", lines="line one\nline two")
    with Httpd() as server:
        v = run(w, server, 'http.get("{o}/echo", {auth = secret "token"})')
        same((states(v), v["denied"][0]["pattern"]), (["denied"], "secret token"))
        why(run(w, server, 'http.get("{o}/echo", {headers = {A = secret "lines"}})', ANY + ["secret lines"]), "the header A has a control character")
        for source, said in (('http.get("{o}/" .. "x", {query = {a = secret "token"}})', "URLs are recorded"), ('http.get(secret "token")', "the URL is a secret"),
                             ('http.get("{o}/x", {auth = "text"})', 'auth is secret "token"'), ('http.get("{o}/x", {key = "text"})', "key must be a secret"),
                             ('http.get("{o}/x", {headers = {["A\\r\\nB"] = "x"}})', "is no name of a header"), ('http.get("{o}/x", {headers = {A = "x\\r\\nB: y"}})', "has a control character"),
                             ('http.get("{o}/x", {headers = {Host = "other"}})', "is made by rung"), ('http.get("{o}/x", {json = {}, body = ""})', "json and body are given together"),
                             ('http.get("{o}/x", {jsn = {}})', "jsn"), ('http.post("{o}/x", {json = {a = secret "token", b = "rung\\1secret\\0011\\1"}})', "only rung itself may write"), ('http.request("CONNECT", "{o}/x")', "no method"), ('http.get("{o}/a/../x")', "segment"), ('http.get("ftp://h/x")', "http://"),
                             ('http.get("{o}/x", {json = {f = print}})', "function"), ('http.post("{o}/x", {effect = "receipt"})', "effect must be")):
            why(run(w, server, source, ANY + ["secret *"]), said)
        same(server.requests, [])


@test
def a_password_in_a_url_is_nowhere(w):
    with Httpd() as server:
        address = "%s/x" % server.origin
        with_user = address.replace("://", "://ana:geheimnis@")
        server.raw["/to"] = [("HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % with_user).encode()]
        for source in ("http.get('%s')" % with_user, "http.get('%s', {query = {a = 1}})" % with_user, "http.post('%s', {json = {}})" % with_user.replace("@", "\\\\@"),
                       "prometheus('%s'):alerts()" % with_user, "http.get('%s/to')" % server.origin):
            view = run(w, server, source)
            reason = view["steps"][0]["why"]
            assert "user name" in reason or "backslash" in reason, reason
            assert "geheimnis" not in reason and "...@" in reason, reason
            text = w.client.ask("report", execution=view["execution"], format="markdown")["text"]
            assert "geheimnis" not in text, text
        same([q for q in server.requests if q.target != "/to"], [])


@test
def what_is_longer_than_it_may_be(w):
    with Httpd() as server:
        v = run(w, server, """local out = {#http.get("{o}/bytes/9000000", {max_bytes = 10485760}).body}
            for _, path in ipairs{"/bytes/9000000", "/bomb/10240", "/endless?length=10000000000", "/endless", "/headers/100/1000", "/endless-headers", "/many-continues"} do
                local ok, e = pcall(http.get, "{o}" .. path)
                out[#out + 1] = {path, ok, e.status or 0, #(e.body or ""), e.why:match("%d+: (.*)") or e.why}
            end
            local r = http.get("{o}/bytes/100", {max_bytes = 10, check = false})
            out[#out + 1] = {r.status, r.body, r.incomplete}
            return out""")
        got = result(v)
        same(got[0], 9000000)
        body = "answered with status 200, but the body is longer than 8388608 bytes (max_bytes)"
        for path, ok, status, n, said in got[1:5]:
            same((path, ok, status, n), (path, False, 200, 8388608))
            assert body in said, said
        for path, ok, status, n, said in got[5:7]:
            same((path, ok, status), (path, False, 200))
            assert "longer than 24 KiB" in said, said
        same(got[7][:2], ["/many-continues", False])
        assert "256 KiB before its answer" in got[7][4], got[7]
        same(got[8], [200, "0123456789", "the body is longer than 10 bytes (max_bytes)"])


@test
def encodings(w):
    with Httpd() as server:
        v = run(w, server, """local out = {}
            for _, path in ipairs{"/gzip/64", "/gzip/10000000", "/encoding/identity", "/deflate/64", "/gzip/64?twice=1", "/gzip/1600?break=truncated", "/gzip/64?break=crc", "/gzip/64?break=garbage", "/encoding/br"} do
                local ok, r = pcall(http.get, "{o}" .. path, {effect = "once", max_bytes = 10485760})
                out[#out + 1] = ok and #r.body or (r.status .. " " .. r.why:match("but (.*)"))
            end
            return out""")
        none = "200 its body says that it is gzip, and is none"
        same(result(v), [64, 10000000, 10, "200 its body is encoded as deflate, and gzip was asked for", "200 its body is encoded as gzip, gzip, and gzip was asked for",
                         "200 its body breaks off in the middle of its gzip", none, none, "200 its body is encoded as br, and gzip was asked for"])


@test
def many_at_once_and_more_than_the_engine_takes_in(w):
    """Bodies faster than they are recorded: what hosts send waits, compressed or not, and all of it comes."""
    with Httpd() as server:
        v = run(w, server, """local piece, out = "0123456789abcdef", {}
            local paths = {"/bytes/4000000", "/gzip/4000000", "/bytes/4000000?chunk=50000", "/gzip/4000000"}
            each(paths, function(path, i)
                local b = http.get("{o}" .. path).body
                out[i] = #b == 4000000 and b:sub(1, 16) == piece and b:sub(-16) == piece and b:sub(1999985, 2000000) == piece
            end, {max_concurrency = 4})
            local n, list = 0, {}
            for i = 1, 400 do list[i] = i end
            each(list, function(i) local got = http.get("{o}/echo?i=" .. i).json.target:match("%d+$") n = n + got end, {max_concurrency = 400})
            return {out, n}""")
        same(result(v), [[True] * 4, 400 * 401 // 2])
        assert server.connections <= 4 + 400


@test
def a_command_inherits_nothing_of_it(w):
    with Httpd() as server:
        v = run(w, server, 'http.get("{o}/echo") return sh("ls /proc/self/fd").stdout', ANY + ["sh sh -c 'ls /proc/self/fd'"])
        same(sorted(map(int, result(v).split())), [0, 1, 2, 3, 250])  # 3: the folder that ls reads


@test
def retries_where_they_are_harmless(w):
    with Httpd() as server:
        v = run(w, server, """local a = http.get("{o}/flaky/a?fails=2", {retries = 3}).body
            local ok, e = pcall(http.post, "{o}/flaky/b?fails=1", {retries = 3})
            local c = http.post("{o}/flaky/c?fails=1&code=0", {retries = 1, effect = "keyed"}).body
            local d = http.put("{o}/flaky/d?fails=1", {retries = 1, effect = "idempotent"}).body
            return {a, ok, e.status, c, d}""")
        same(result(v), ["3", False, 503, "2", "2"])
        keys = [r.header("Idempotency-Key") for r in server.requests if r.path == "/flaky/c"]
        assert len(keys) == 2 and keys[0] and keys[0] == keys[1], keys


if __name__ == "__main__":
    sys.exit(run_tests(tests))
