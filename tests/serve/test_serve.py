#!/usr/bin/env python3
# limit: 240
"""rung serve as a whole process: tokens, operations, live events over reconnections and crashes, TLS, how it ends, what it tells the service manager."""
import http.client, json, os, pwd, random, shutil, signal, socket, ssl, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pty"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fail"))
import rungclient as r
import unittest
from certificates import Certificates
from failtable import Table
from service import Served, Service
import tap

SEED = int(os.environ.get("SEED", random.randrange(1 << 30)))


class Stream:
    """A reader of Server-Sent Events on a connection of its own."""

    def __init__(self, w, path, token, last=None, timeout=30, port=None):
        self.sock = socket.create_connection(("127.0.0.1", port or w.port), timeout=timeout)
        head = "GET %s HTTP/1.1\r\nHost: rung\r\nAuthorization: Bearer %s\r\n" % (path, token)
        if last is not None:
            head += "Last-Event-ID: %d\r\n" % last
        self.sock.sendall((head + "\r\n").encode())
        self.file = self.sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        for line in iter(self.file.readline, b"\r\n"):
            name, value = line.decode().split(":", 1)
            self.headers[name.lower()] = value.strip()
        self.left = b""

    def _line(self):
        """One line of the body, whose pieces come in chunks."""
        while b"\n" not in self.left:
            size = self.file.readline()
            n = int(size, 16) if size.strip() else 0
            if not n:
                return None
            self.left += self.file.read(n)
            self.file.readline()
        line, self.left = self.left.split(b"\n", 1)
        return line.decode()

    def event(self):
        """(id or None, name, data), or None at the end."""
        id, name, data = None, None, []
        while True:
            line = self._line()
            if line is None:
                return None
            if line == "":
                if name:
                    return id, name, json.loads("\n".join(data))
                continue
            key, _, value = line.partition(": ")
            if key == "id":
                id = int(value)
            elif key == "event":
                name = value
            elif key == "data":
                data.append(value)

    def all(self):
        return list(iter(self.event, None))

    def close(self):
        # The file first: it holds the descriptor.
        self.file.close()
        self.sock.close()


def events(w, x, token, **more):
    return Stream(w, "/v1/executions/%s/events" % x, token, **more)


class Tokens(unittest.TestCase):
    def test_a_token_is_shown_once_and_kept_as_its_hash(self):
        with Served() as w:
            token = w.token("ci", expires="90d")
            self.assertRegex(token, r"^rung_[A-Za-z0-9_-]{43}$")
            self.assertEqual(w.ask(token, "hello")["principal"], w.client.ask("hello")["principal"])
            listed = w.client.ask("token.list")["tokens"]
            self.assertEqual([(t["name"], t["state"]) for t in listed], [("ci", "live")])
            self.assertNotIn(token, json.dumps(listed))
            for folder, _, files in os.walk(w.folder):
                for name in files:
                    if name.endswith(".sock"):
                        continue
                    with open(os.path.join(folder, name), "rb") as f:
                        self.assertNotIn(token.encode()[5:], f.read(), name)
            with self.assertRaises(r.Refused) as e:
                w.token("ci")
            self.assertEqual(e.exception.kind, "conflict")

    def test_tokens_outlive_the_engine_and_end_when_they_are_revoked_or_over(self):
        with Served() as w:
            kept, gone, short = w.token("kept"), w.token("gone"), w.token("short", expires="1500ms")
            self.assertEqual(w.http("GET", "/v1", short)[0], 200)
            w.client.ask("token.revoke", name="gone")
            self.assertEqual(w.http("GET", "/v1", gone)[0], 401)
            w.restart()
            self.assertEqual((w.http("GET", "/v1", kept)[0], w.http("GET", "/v1", gone)[0]), (200, 401))
            r.deadline(10, "it expires", lambda: w.http("GET", "/v1", short)[0] == 401, 0.5)
            self.assertEqual({t["name"]: t["state"] for t in w.client.ask("token.list")["tokens"]}, {"kept": "live", "gone": "revoked", "short": "expired"})
            again = w.token("gone")
            self.assertEqual((w.http("GET", "/v1", again)[0], w.http("GET", "/v1", gone)[0]), (200, 401))

    def test_what_could_not_be_stored_can_be_asked_for_again(self):
        with tempfile.TemporaryDirectory() as folder:
            table = Table(os.path.join(folder, "table"), os.path.join(r.BUILD, "rung"))
            with Served(environment={"RUNG_FAIL_TABLE": table.path}) as w:
                token = w.token("a")
                table.ask("store.full", "fail", 1)
                with self.assertRaises(r.Refused):
                    w.client.ask("token.revoke", name="a")
                self.assertEqual(w.http("GET", "/v1", token)[0], 200, "the next engine would let it in: so does this one")
                w.client.ask("token.revoke", name="a")
                table.ask("store.full", "fail", 1)
                with self.assertRaises(r.Refused):
                    w.token("b")
                w.token("b")
                for _ in range(2):
                    self.assertEqual(w.http("GET", "/v1", token)[0], 401)
                    self.assertEqual([(t["name"], t["state"]) for t in w.client.ask("token.list")["tokens"]], [("a", "revoked"), ("b", "live")])
                    w.restart()

    def test_who_has_a_token_makes_none(self):
        with Served() as w:
            token = w.token()
            self.assertEqual(w.ask(token, "token.create", 403, name="more")["status"], 403)
            self.assertEqual(w.ask(token, "token.list", 403)["status"], 403)
            self.assertEqual(w.ask(token, "shell.start", 403)["status"], 403)
            self.assertEqual([t["name"] for t in w.client.ask("token.list")["tokens"]], ["t"])

    def test_only_whose_engine_it_is_makes_them(self):
        if os.geteuid() != 0:
            self.skipTest("it takes root to be somebody else")
        other = pwd.getpwnam("daemon")
        folder = tempfile.mkdtemp(prefix="rung-socket-", dir="/tmp")  # a suite's own folder is closed to others
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "engine.sock")
        policy = "version: 1\nrules:\n  - {id: all, allow: [run, read, cancel, resolve, approve-book], who: ['user:*'], books: ['**'], grants: ['sh **']}\n"
        with Served(config="version: 1\nsocket: {path: %s, group: daemon}\n" % path, policy=policy) as w:
            os.setegid(other.pw_gid)
            os.seteuid(other.pw_uid)
            try:
                client = r.Client(None, path)
            finally:
                os.seteuid(0)
                os.setegid(0)
            self.assertEqual(client.ask("hello")["principal"], "user:daemon")
            for op, args in (("token.create", {"name": "x"}), ("token.create", {"name": "x", "for": "user:daemon"}), ("token.list", {}), ("token.revoke", {"name": "x"})):
                with self.assertRaises(r.Refused) as e:
                    client.ask(op, **args)
                self.assertEqual(e.exception.kind, "denied")
            client.close()
            self.assertEqual(w.client.ask("token.list")["tokens"], [])
        shutil.rmtree(folder)

    def test_wrong_wishes_are_refused(self):
        with Served() as w:
            for args in ({"name": ""}, {"name": "a b"}, {"name": "x", "for": "root"}, {"name": "x", "for": "system:engine"}, {"name": "x", "for": "user:"},
                         {"name": "x", "expires": "never"}, {"name": "x", "expires": "0s"}, {"name": "x", "expires": "999999d"}, {"name": "x" * 65}):
                with self.assertRaises(r.Refused, msg=args):
                    w.client.ask("token.create", **args)
            self.assertEqual(w.client.ask("token.list")["tokens"], [])

    def test_a_principal_has_its_own_rights(self):
        policy = """version: 1
groups: {ops: [ana]}
services: {ci: {rate: 10/h}}
rules:
  - {id: ops, allow: [run, read], who: ["group:ops", "service:ci"], books: ["**"], grants: ["sh true"]}
"""
        with Served(policy=policy) as w:
            ana, bo, ci, bot = (w.token(n, **{"for": p}) for n, p in (("a", "user:ana"), ("b", "user:bo"), ("c", "service:ci"), ("d", "service:bot")))
            book = w.lua("sh{'true'}", permissions=("sh true",))
            x = w.ask(ana, "run", book=os.path.basename(book), mode="auto")["execution"]
            self.assertEqual(w.ask(ana, "attach", execution=x)["driver"], "user:ana")
            self.assertEqual(w.ask(bo, "run", 403, book=book, mode="auto")["type"], "urn:rung:error:denied")
            self.assertEqual(w.ask(bo, "attach", 403, execution=x)["status"], 403)
            self.assertEqual(w.ask(bo, "log")["executions"], [])
            self.assertEqual(events(w, x, bo).status, 403)
            self.assertEqual(w.http("GET", "/v1/executions/" + x, ci)[0], 200)
            self.assertEqual(json.loads(w.http("GET", "/v1", ci)[2])["principal"], "service:ci")
            self.assertEqual(w.http("GET", "/v1", bot)[0], 403, "no policy names it")


class Operations(unittest.TestCase):
    def test_the_index_is_the_table(self):
        with Served() as w:
            v = json.loads(w.http("GET", "/v1", w.token())[2])
            names = [o["name"] for o in v["operations"]]
            self.assertTrue({"run", "attach", "log", "approve", "cancel"} <= set(names), names)
            self.assertFalse([n for n in names if n.startswith(("shell.", "token."))])
            self.assertIn(("GET", "/healthz", False), [(o["method"], o["path"], o["token"]) for o in v["routes"]])
            self.assertTrue(all(l["why"] and l["value"] > 0 for l in v["limits"]))

    def test_errors_are_problems(self):
        with Served() as w:
            token = w.token()
            for operation, args, status, kind in (("attach", {"execution": "01ZZZZZZZZZZ"}, 404, "not_found"), ("run", {}, 400, "usage"),
                                                  ("run", {"book": "no/such.md", "mode": "auto"}, 404, "not_found"), ("go", {"execution": "x"}, 400, "usage"),
                                                  ("no.such", {}, 404, "http-404")):
                status_got, headers, body = w.http("POST", "/v1/" + operation, token, args)
                v = json.loads(body)
                self.assertEqual((status_got, v["type"], v["status"]), (status, "urn:rung:error:" + kind, status), v)
                self.assertTrue(headers["Content-Type"].startswith("application/problem+json") and v["title"] and v["detail"])
            for body, kind in ((b"[1]", "application/json"), (b"{", "application/json"), (b'{"a":1,"a":2}', "application/json"), (b"{}x", "application/json"), (b"a=b", "text/plain"),
                               (b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", "application/json"), (b'"\xff"', "application/json")):
                self.assertEqual(w.http("POST", "/v1/hello", token, body, {"Content-Type": kind})[0], 400, body[:40])
            self.assertEqual(w.http("POST", "/v1/hello", token)[0], 200, "no body: no arguments")

    def test_a_run_is_durable_when_it_is_answered_and_its_output_comes_back(self):
        with Served() as w:
            token = w.token()
            book = w.lua("sh([==[printf 'a\\377b']==])")
            x = w.ask(token, "run", book=os.path.basename(book), mode="auto", declared=True)["execution"]
            self.assertIn("execution.started", w.kinds(x))
            self.assertEqual(w.over(x)["state"], "succeeded")
            v = w.ask(token, "output", execution=x, step="s0", attempt=1, call=1, stream="stdout", **{"from": 0})
            self.assertEqual((v["bytes"], v["payload"]), (3, {"b64": "Yf9i"}))
            self.assertEqual([e["execution"] for e in json.loads(w.http("GET", "/v1/executions", token)[2])["executions"]], [x])

    def test_what_looks_is_a_path_too(self):
        with Served() as w:
            token = w.token()
            xs = [w.run(w.lua("sh('true')")) for _ in range(3)]
            for x in xs:
                w.over(x)

            def get(path):
                status, _, body = w.http("GET", path, token)
                self.assertEqual(status, 200, body)
                return json.loads(body)
            page = get("/v1/executions?limit=2")
            self.assertEqual([e["execution"] for e in page["executions"]], xs[:0:-1])
            self.assertEqual([e["execution"] for e in get("/v1/executions?limit=2&before=" + page["next"])["executions"]], xs[:1])
            self.assertEqual(get("/v1/executions?open=true")["executions"], [])
            self.assertEqual(get("/v1/executions/" + xs[0])["state"], "succeeded")
            self.assertEqual(get("/v1/executions/%s/records?from=0&limit=1" % xs[0])["lines"], w.client.ask("records", execution=xs[0], limit=1)["lines"])
            self.assertIn("Book 1", get("/v1/executions/%s/report" % xs[0])["text"])
            self.assertEqual(get("/v1/incidents")["incidents"], [])
            i = w.ask(token, "incident.open", title="The till is on fire", priority=1)["incident"]
            self.assertEqual([n["incident"] for n in get("/v1/incidents?all=true")["incidents"]], [i])
            self.assertEqual(get("/v1/incidents/" + i)["title"], "The till is on fire")
            w.ask(token, "incident.ack", incident=i, how="cli")
            self.assertIn("acknowledged by a program", w.ask(token, "incident.report", incident=i, format="markdown")["text"])
            self.assertEqual(get("/v1/alerts")["alerts"], [])
            for bad in ("a", "=b", "A=b", "a=%20", "a=b&a=c", "a=b;c", "a" * 40 + "=b"):
                self.assertEqual(w.http("GET", "/v1/executions?" + bad, token)[0], 400, bad)

    def test_a_principal_has_its_rate(self):
        with Served(config="version: 1\nhttp: {rate: 5}\n") as w:
            token = w.token()
            got = [w.http("POST", "/v1/hello", token) for _ in range(40)]
            self.assertEqual([g[0] for g in got[:10]], [200] * 10)
            self.assertIn(429, [g[0] for g in got])
            self.assertEqual(next(g for g in got if g[0] == 429)[1]["Retry-After"], "1")
            self.assertEqual(w.http("GET", "/healthz")[0], 200)
            r.deadline(10, "it may ask again", lambda: w.http("POST", "/v1/hello", token)[0] == 200, 0.3)

    def test_a_question_is_answered_from_afar(self):
        with Served() as w:
            token = w.token()
            x = w.run(w.lua("return {said = ask{prompt = 'Which?'}}"))
            w.waits(x, "s0", "answer")
            w.ask(token, "answer", execution=x, step="s0", call=1, value="the left one")
            self.assertEqual(w.over(x)["steps"][0]["result"], {"said": "the left one"})

    def test_many_at_once(self):
        with Served() as w:
            token = w.token()
            path, wrong = w.lua("sh('true')"), []

            def some():
                try:
                    for _ in range(5):
                        x = w.ask(token, "run", book=path, mode="auto", declared=True)["execution"]
                        if w.ask(token, "attach", execution=x)["execution"] != x:
                            wrong.append(x)
                except Exception as e:
                    wrong.append(repr(e))
            threads = [threading.Thread(target=some) for _ in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(wrong, [])
            self.assertEqual(len(w.ask(token, "log", limit=500)["executions"]), 40)


class Events(unittest.TestCase):
    def test_the_view_comes_first_and_the_end_last(self):
        with Served() as w:
            token = w.token()
            x = w.run(w.lua("log('halfway')\nsh('echo hello')", "sh('true')"))
            s = events(w, x, token)
            self.assertEqual((s.status, s.headers["content-type"]), (200, "text/event-stream"))
            all = s.all()
            self.assertEqual((all[0][1], all[-1][1]), ("view", "ended"))
            self.assertEqual(all[0][2]["execution"], x)
            # What is before the first view is in it; what is behind it comes.
            records = [e for e in all if e[1] == "record"]
            self.assertEqual([e[0] for e in records], [k["seq"] for k in w.records(x) if all[0][0] is None or k["seq"] > all[0][0]])
            over = events(w, x, token).all()
            self.assertEqual([e[1] for e in over], ["view", "ended"])
            self.assertEqual(over[0][2]["state"], "succeeded")
            self.assertEqual(events(w, "01ZZZZZZZZ", token).status, 404)

    def test_who_comes_back_gets_each_record_once_whatever_happened(self):
        rng = random.Random(SEED)
        print("# SEED=%d" % SEED, flush=True)
        with Served() as w:
            token = w.token()
            x = w.run(w.lua(*["for i = 1, 12 do sh('true', {effect = 'read'}) end\nsh('sleep 0.2', {effect = 'read'})"] * 4))
            got, last, kills = [], None, 0
            for turn in range(200):
                try:
                    s = events(w, x, token, last=last, timeout=10)
                    self.assertEqual(s.status, 200)
                    first = s.event()
                    self.assertEqual(first[1], "view")
                    if last is None:
                        last = first[0]
                        start = last
                    stay = rng.randrange(1, 25)
                    for _ in range(stay):
                        e = s.event()
                        if e is None or e[1] == "ended":
                            break
                        if e[1] == "record":
                            got.append(e)
                            last = e[0]
                    s.close()
                    if e is not None and e[1] == "ended":
                        break
                except (OSError, ValueError, IndexError):
                    pass  # the engine was killed meanwhile
                if kills < 2 and turn in (3, 6):
                    kills += 1
                    w.restart()
                    w.client.ask("resume", execution=x)
            self.assertEqual(w.over(x)["state"], "succeeded")
            want = [k["seq"] for k in w.records(x) if k["seq"] > start]
            self.assertEqual([e[0] for e in got], want[:len(got)])
            rest = [e[0] for e in events(w, x, token, last=last).all() if e[1] == "record"]
            self.assertEqual([e[0] for e in got] + rest, want)
            lines = w.client.ask("records", execution=x, limit=2000)["lines"]
            by_seq = {json.loads(l)["seq"]: json.loads(l) for l in lines}
            self.assertTrue(all(e[2] == by_seq[e[0]] for e in got))

    def test_a_reader_that_stands_still_gets_every_record_in_the_end_and_others_wait_for_nothing(self):
        with Served() as w:
            token = w.token()
            x = w.run(w.lua("for i = 1, 25 do sh('head -c 200000 /dev/zero | tr \"\\\\0\" x') end"))
            slow = events(w, x, token, timeout=60)
            first, began = slow.event(), time.monotonic()
            self.assertEqual(w.over(x, 60)["state"], "succeeded")
            if time.monotonic() - began > 25:
                self.skipTest("this machine is too busy: a reader may stand still for 30 s")
            got = slow.all()
            self.assertEqual(got[-1][1], "ended")
            self.assertEqual([e[0] for e in got if e[1] == "record"], [k["seq"] for k in self.every_record(w, x) if k["seq"] > (first[0] or -1)])

    def every_record(self, w, x):
        all, at = [], 0
        while at is not None:
            v = w.client.ask("records", execution=x, **{"from": at})
            all += [json.loads(l) for l in v["lines"]]
            at = v["next"]
        return all

    def test_a_revoked_token_hears_no_more(self):
        with Served() as w:
            token = w.token("e")
            x = w.run(w.lua("sh('true')", "ask{prompt = 'well?'}"))
            w.waits(x, "s1", "answer")
            s = events(w, x, token)
            self.assertEqual(s.event()[1], "view")
            w.client.ask("token.revoke", name="e")
            w.client.ask("note", execution=x, text="nobody with that token reads this")
            rest = []
            while not rest or rest[-1] and rest[-1][1] != "note":
                rest.append(s.event())
            self.assertIsNone(rest.pop(), "what was said behind it")
            self.assertEqual([e[1] for e in rest], ["ended"])
            w.client.ask("answer", execution=x, step="s1", call=1, value="yes")

    def test_readers_that_leave_are_let_go(self):
        with Served() as w:
            token = w.token()
            x = w.run(w.lua("ask{prompt = 'well?'}"))
            w.waits(x, "s0", "answer")
            readers = [events(w, x, token) for _ in range(10)]
            for s in readers:
                self.assertEqual(s.event()[1], "view")
            self.assertEqual(metrics(w, token)["rung_http_streams"], 10)
            for s in readers:
                s.close()
            r.deadline(10, "none is left", lambda: metrics(w, token)["rung_http_streams"] == 0, 0.1)
            # As many as one principal may have, and no more.
            readers = [events(w, x, token) for _ in range(33)]
            self.assertEqual([s.status for s in readers], [200] * 32 + [429])
            for s in readers:
                s.close()
            w.client.ask("answer", execution=x, step="s0", call=1, value="yes")

    def test_last_event_ids_that_are_none(self):
        with Served() as w:
            token = w.token()
            x = w.run(w.lua("sh('true')"))
            w.over(x)
            for bad in (b"x", b"-1", b"1 2", b"9" * 30, b"0x1", b"1;2"):
                got = w.raw(b"GET /v1/executions/%s/events HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer %s\r\nLast-Event-ID: %s\r\n\r\n" % (x.encode(), token.encode(), bad))
                self.assertTrue(got.startswith(b"HTTP/1.1 400 "), (bad, got[:60]))
            # One from the future: nothing is behind it.
            self.assertEqual([e[1] for e in events(w, x, token, last=10 ** 15).all()], ["view", "ended"])


def metrics(w, token):
    """{name with labels: value}"""
    status, headers, body = w.http("GET", "/metrics", token)
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4"), (status, headers)
    return {l.rsplit(" ", 1)[0]: float(l.rsplit(" ", 1)[1]) for l in body.decode().splitlines() if l and l[0] != "#"}


class Metrics(unittest.TestCase):
    def test_promtool_has_nothing_to_say(self):
        promtool = shutil.which("promtool")
        if not promtool:
            self.skipTest("prometheus is not installed")
        with Served() as w:
            token = w.token()
            w.over(w.run(w.lua("sh('true')", "fail('no')")))
            w.http("GET", "/nothing")
            done = subprocess.run([promtool, "check", "metrics"], input=w.http("GET", "/metrics", token)[2], capture_output=True)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, b""))

    def test_they_count_what_happened(self):
        with Served() as w:
            token = w.token()
            before = metrics(w, token)
            self.assertEqual(before['rung_build_info{version="%s"}' % w.client.ask("hello")["version"]], 1)
            w.over(w.run(w.lua("sh('true')\nsh('false', {check = false})")))
            w.over(w.run(w.lua("fail('no')")))
            waits = w.run(w.lua("ask{prompt = 'well?'}"))
            w.waits(waits, "s0", "answer")
            for _ in range(3):
                w.http("GET", "/nothing")
            w.raw(b"GET / HTTP/1.1\nHost: x\n\n")
            now = metrics(w, token)

            def grew(name):
                return now.get(name, 0) - before.get(name, 0)
            self.assertEqual(grew("rung_executions_started_total"), 3)
            self.assertEqual(grew('rung_executions_finished_total{state="succeeded"}'), 1)
            self.assertEqual(now['rung_executions{state="waiting"}'], 1)
            self.assertGreaterEqual(grew("rung_calls_started_total"), 2)
            self.assertEqual(grew('rung_http_requests_total{code="404"}'), 3)
            self.assertEqual((grew('rung_http_requests_total{code="400"}'), grew("rung_http_malformed_requests_total")), (1, 1))
            self.assertEqual(grew("rung_store_commit_seconds_count"), now['rung_store_commit_seconds_bucket{le="+Inf"}'] - before['rung_store_commit_seconds_bucket{le="+Inf"}'])
            self.assertGreater(grew("rung_store_records_total"), 10)
            self.assertEqual((now["rung_store_queue"], now["rung_store_reserve_spent"], now["rung_socket_clients"]), (0, 0, 1))
            self.assertEqual(w.http("GET", "/metrics")[0], 401)
            w.client.ask("answer", execution=waits, step="s0", call=1, value="yes")


class Ending(unittest.TestCase):
    def kept(self, w):
        c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=20)
        c.request("GET", "/readyz")
        a = c.getresponse()
        self.assertEqual((a.status, a.read()), (200, b"ready\n"))
        return c

    def test_it_ends_in_order(self):
        with Served() as w:
            token, kept = w.token(), self.kept(w)
            x = w.run(w.lua("sh('while [ ! -e go ]; do sleep 0.05; done')".replace("go", w.path("go"))))
            w.step(x, "s0", lambda s: s["state"] == "running" and s["calls"])
            s = events(w, x, token)
            w.engine.terminate()
            def ending():
                kept.request("GET", "/readyz")
                a = kept.getresponse()
                a.read()
                return a.status == 503
            r.deadline(10, "readyz turns 503", ending)
            with self.assertRaises(OSError):
                w.connect(2)
            kept.request("GET", "/healthz")
            self.assertEqual(kept.getresponse().read(), b"ok\n")
            kept.request("POST", "/v1/run", json.dumps({"book": w.path("book1.md"), "mode": "auto", "declared": True}),
                         {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
            a = kept.getresponse()
            self.assertEqual((a.status, json.loads(a.read())["type"]), (503, "urn:rung:error:closed"))
            with self.assertRaises(r.Refused):
                w.run(w.path("book1.md"))
            open(w.path("go"), "w").close()
            self.assertEqual(s.all()[-1][1], "ended", "what runs may finish, and is told so")
            self.assertEqual(w.engine.process.wait(20), 0)
            w.engine.start()
            w.client = w.engine.client()
            self.assertEqual(w.view(x)["state"], "succeeded")

    def test_what_does_not_finish_in_time_is_left_to_be_taken_up(self):
        with Served(config="version: 1\nhttp: {drain: 1s}\n") as w:
            x = w.run(w.lua("sh('sleep 30', {effect = 'read'})"))
            w.step(x, "s0", lambda s: s["state"] == "running" and s["calls"])
            began = time.monotonic()
            w.engine.terminate()
            self.assertEqual(w.engine.process.wait(20), 0)
            self.assertTrue(0.9 < time.monotonic() - began < 15, time.monotonic() - began)
            w.engine.start()
            w.client = w.engine.client()
            self.assertTrue(w.view(x)["interrupted"])
            w.client.ask("resume", execution=x, go_on=False)
            w.client.ask("cancel", execution=x, reason="enough")

    def test_a_second_signal_ends_it_at_once(self):
        with Served() as w:
            x = w.run(w.lua("sh('sleep 30')"))
            w.step(x, "s0", lambda s: s["state"] == "running" and s["calls"])
            w.engine.terminate()
            r.deadline(10, "it is ending", lambda: "nothing new begins" in w.engine.said())
            self.assertIsNone(w.engine.process.poll())
            began = time.monotonic()
            w.engine.terminate()
            self.assertEqual(w.engine.process.wait(10), 0)
            self.assertLess(time.monotonic() - began, 8)

    def test_a_request_that_waits_is_answered(self):
        with Served() as w:
            token, answers = w.token(), []
            path = w.lua("sh('true')")
            def ask():
                try:
                    answers.append(w.http("POST", "/v1/run", token, {"book": path, "mode": "auto", "declared": True})[0])
                except OSError:
                    answers.append("not connected")
            threads = [threading.Thread(target=ask) for _ in range(20)]
            for t in threads:
                t.start()
            w.engine.terminate()
            for t in threads:
                t.join()
            self.assertEqual(w.engine.process.wait(20), 0)
            self.assertTrue(set(answers) <= {200, 503, "not connected"}, answers)
            w.engine.start()
            w.client = w.engine.client()
            self.assertEqual(len([a for a in answers if a == 200]), len(w.client.ask("log", limit=100)["executions"]))

    def test_who_waits_when_it_ends_at_once_is_told(self):
        with Served() as w:
            with open(w.path(".rung/inventory.yaml"), "w") as f:
                f.write("version: 1\ndynamic: {command: [sleep, 20]}\n")
            token, answers = w.token(), []
            threads = [threading.Thread(target=lambda: answers.append(w.http("POST", "/v1/hosts", token, {"workspace": w.folder})[0])) for _ in range(8)]
            for t in threads:
                t.start()
            r.deadline(10, "all of them wait", lambda: metrics(w, token)["rung_http_waiting_requests"] == 9)
            w.engine.terminate()
            r.deadline(10, "it is ending", lambda: "nothing new begins" in w.engine.said())
            w.engine.terminate()
            for t in threads:
                t.join()
            self.assertEqual(answers, [503] * 8)
            self.assertEqual(w.engine.process.wait(20), 0)
            w.engine.start()
            w.client = w.engine.client()

    def test_requests_that_come_while_it_ends_do_not_hurt_it(self):
        one = b"GET /healthz HTTP/1.1\r\nHost: r\r\n\r\n"
        with Served() as w:
            for _ in range(5):
                stop, asked = threading.Event(), [0]

                def ask():
                    try:
                        with w.connect(5) as s:
                            while not stop.is_set():
                                s.sendall(one * 50)
                                asked[0] += len(s.recv(65536))
                    except OSError:
                        pass
                threads = [threading.Thread(target=ask) for _ in range(8)]
                for t in threads:
                    t.start()
                r.deadline(10, "they are answered", lambda: asked[0] > 20000)
                before = w.engine.said().count("nothing new begins")
                w.engine.terminate()
                r.deadline(10, "it is ending", lambda: w.engine.said().count("nothing new begins") > before)
                w.engine.terminate()
                self.assertEqual(w.engine.process.wait(30), 0)
                stop.set()
                for t in threads:
                    t.join()
                w.client.close()
                w.engine.start()
                w.client = w.engine.client()


class Manager:
    """The socket of a service manager."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.settimeout(20)

    def hear(self, timeout=20):
        self.sock.settimeout(timeout)
        return self.sock.recv(4096).decode().split("\n")

    def until(self, line, seconds=20):
        r.deadline(seconds, line, lambda: line in self.hear())


class Manage(unittest.TestCase):
    def run_under(self, address, name):
        manager = Manager(address)
        with Served(environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "400000"}) as w:
            manager.until("READY=1")
            began = time.monotonic()
            for _ in range(4):
                manager.until("WATCHDOG=1")
            self.assertLess(time.monotonic() - began, 5)
            # None of it reaches what steps run.
            x = w.run(w.lua("return {out = sh('cat /proc/$PPID/environ /proc/self/environ | tr \"\\\\0\" \"\\\\n\"').stdout}"))
            out = w.over(x)["steps"][0]["result"]["out"]
            self.assertNotIn("NOTIFY_SOCKET", out)
            self.assertNotIn("WATCHDOG", out)
            # A loop that stands still pings nobody.
            os.kill(w.engine.process.pid, signal.SIGSTOP)
            try:
                with self.assertRaises((socket.timeout, AssertionError)):
                    while True:
                        manager.hear(1)
            finally:
                os.kill(w.engine.process.pid, signal.SIGCONT)
            manager.until("WATCHDOG=1")
            w.client.close()
            w.engine.terminate()
            manager.until("STOPPING=1")
            w.engine.process.wait(20)

    def test_a_manager_with_a_socket_in_the_file_system(self):
        folder = tempfile.mkdtemp()
        self.run_under(os.path.join(folder, "notify"), os.path.join(folder, "notify"))
        shutil.rmtree(folder)

    def test_a_manager_with_an_abstract_socket(self):
        name = "rung-notify-%d" % os.getpid()
        self.run_under("\0" + name, "@" + name)

    def test_a_manager_that_is_not_there_is_no_matter(self):
        with Served(environment={"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "100000"}) as w:
            self.assertEqual(w.http("GET", "/healthz")[0], 200)


class Listening(unittest.TestCase):
    def refused(self, *options, config=None):
        """What `rung serve` says, which does not start."""
        folder = tempfile.mkdtemp(prefix="rung-serve-")
        try:
            os.mkdir(os.path.join(folder, ".rung"))
            if config:
                with open(os.path.join(folder, ".rung", "config.yaml"), "w") as f:
                    f.write(config)
            done = subprocess.run([os.path.abspath(os.path.join(r.BUILD, "rung")), "serve"] + list(options), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  env=dict(os.environ, XDG_STATE_HOME=os.path.join(folder, "xdg")), timeout=60)
            return done.returncode, done.stderr
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def test_plain_http_stays_on_this_host(self):
        for address in ("0.0.0.0:0", "[::]:0", "192.0.2.1:80", "[2001:db8::1]:80"):
            status, said = self.refused("--listen", address)
            self.assertEqual(status, 4, said)
            self.assertIn("without TLS", said)
        status, said = self.refused(config="version: 1\nhttp: {listen: '0.0.0.0:0'}\n")
        self.assertEqual((status, "without TLS" in said), (4, True), said)

    def test_what_is_no_address_or_no_certificate(self):
        for address in ("", "80", "rung.example:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1", "1.2.3:80"):
            status, said = self.refused("--listen", address)
            self.assertEqual(status, 3, (address, said))
        self.assertEqual(self.refused("--tls-cert", "/etc/passwd", "--listen", "127.0.0.1:0")[0], 2)
        self.assertEqual(self.refused("--tls-cert", "/etc/passwd", "--tls-key", "/etc/passwd", "--listen", "127.0.0.1:0")[0], 3)
        self.assertEqual(self.refused("--tls-cert", "/no/such", "--tls-key", "/no/such", "--listen", "127.0.0.1:0")[0], 2)
        self.assertEqual(self.refused(config="version: 1\nhttp: {tls: {key: /x}}\n")[0], 3)
        self.assertEqual(self.refused(config="version: 1\nhttp: {tls: {certificate: x, key: /x}}\n")[0], 3)
        self.assertEqual(self.refused(config="version: 1\nhttp: {drain: 2h}\n")[0], 3)

    def test_an_address_in_use_and_a_store_in_use(self):
        with Served() as w:
            status, said = self.refused("--listen", "127.0.0.1:%d" % w.port)
            self.assertEqual((status, "Address already in use" in said), (1, True), said)
            status, said = self.refused("--state", w.engine.state, "--listen", "127.0.0.1:0")
            self.assertEqual(status, 1, said)

    def test_tls_is_spoken_and_nothing_older(self):
        with Certificates() as ca:
            certificate, key = ca.server("127.0.0.1", "rung.test")
            with Served(options=["--tls-cert", certificate, "--tls-key", key]) as w:
                token = w.token()
                trust = ssl.create_default_context(cafile=ca.ca)
                c = http.client.HTTPSConnection("127.0.0.1", w.port, context=trust, timeout=20)
                c.request("GET", "/v1", headers={"Authorization": "Bearer " + token})
                a = c.getresponse()
                self.assertEqual((a.status, a.headers["Strict-Transport-Security"]), (200, "max-age=31536000"))
                a.read()
                self.assertIn(c.sock.version(), ("TLSv1.2", "TLSv1.3"))
                # The same is refused, and events stream, as without it.
                with trust.wrap_socket(w.connect(), server_hostname="127.0.0.1") as inside:
                    inside.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\0\nX: y\r\n\r\n")
                    self.assertTrue(inside.recv(4096).startswith(b"HTTP/1.1 400 "))
                x = w.run(w.lua("sh('true')"))
                w.over(x)
                c.request("GET", "/v1/executions/%s/events" % x, headers={"Authorization": "Bearer " + token})
                self.assertIn(b"event: ended", c.getresponse().read())
                self.assertNotIn(b"200", w.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"))
                done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % w.port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, timeout=30)
                self.assertNotEqual(done.returncode, 0)
                # A stalled handshake is one slow client, no more.
                with w.connect() as slow:
                    slow.sendall(b"\x16\x03\x01")
                    c.request("GET", "/healthz")
                    self.assertEqual(c.getresponse().read(), b"ok\n")


if __name__ == "__main__":
    tap.main(Tokens, Operations, Events, Metrics, Ending, Manage, Listening)
