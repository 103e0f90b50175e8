#!/usr/bin/env python3
"""The HTTP server that tests talk to does what it says (tools/httpd.py), and so do its certificates and names: judged by curl's own program."""
import json, os, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from certificates import Certificates
from host import Skip, run_host_tests
from httpd import Httpd
from httpd_answers import LIES
from names import Names
from rungclient import deadline
from sshd import can_mount
from world import same

COULD_NOT_RESOLVE, COULD_NOT_CONNECT, PARTIAL, OUT_OF_TIME, TOO_MANY_REDIRECTS, NOTHING, RECEIVE, BAD_ENCODING, BAD_CERTIFICATE, TOO_BIG = 6, 7, 18, 28, 47, 52, 56, 61, 60, 63


def curl(*arguments, prefix=()):
    """(exit status, body)"""
    done = subprocess.run(list(prefix) + ["curl", "-sS", "--noproxy", "*", "--max-time", "20"] + list(arguments), stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode, done.stdout.decode("latin-1")


def test_what_came_is_said():
    with Httpd() as s:
        status, body = curl("-X", "PUT", "-H", "Idempotency-Key: k1", "-d", "hello", s.url("/echo?a=b"))
        said = json.loads(body)
        same((status, said["method"], said["target"], said["body"], dict(said["headers"])["Idempotency-Key"]), (0, "PUT", "/echo?a=b", "hello", "k1"))
        same(json.loads(curl("-H", "Transfer-Encoding: chunked", "-d", "in chunks", s.url("/echo"))[1])["body"], "in chunks")
        same([r.method for r in s.requests], ["PUT", "POST"])
        same(curl("-I", s.url("/bytes/50"))[1].lower().count("content-length: 50"), 1)
        same(curl("-w", "%{http_code}", s.url("/status/204"))[1], "204")
        same(curl("-w", "%{http_code}", s.url("/nothing-such"))[1][-3:], "404")
        same(curl(s.url("/bytes/50?chunk=7"))[1], ("0123456789abcdef" * 4)[:50])
        same(curl(s.url("/until-close/9"))[1], "x" * 9)


def test_connections_are_counted():
    with Httpd() as s:
        curl(s.url("/echo"), s.url("/echo"), s.url("/close"), s.url("/echo"))
        # curl asks once more on a new connection when a used one ends.
        same([(r.path, r.connection, r.number) for r in s.requests], [("/echo", 1, 1), ("/echo", 1, 2), ("/close", 1, 3), ("/close", 2, 1), ("/echo", 3, 1)])


def test_redirects_lead_where_they_say():
    with Httpd() as s, Httpd() as other:
        same(json.loads(curl("-L", s.url("/chain/5"))[1])["target"], "/echo")
        same(curl("-L", "--max-redirs", "9", s.url("/loop"))[0], TOO_MANY_REDIRECTS)
        same(curl("-L", s.url("/redirect?to=file:///etc/passwd"))[0], 1)
        said = json.loads(curl("-L", "-u", "ana:secret", s.url("/redirect?code=307&to=" + other.url("/echo", "localhost")))[1])
        assert "Authorization" not in dict(said["headers"]), said
        same((len(s.requests), s.requests[-1].header("authorization") is not None, len(other.requests)), (18, True, 1))
        same(curl("-w", "%{redirect_url}", s.url("/nowhere"))[1], "")


def test_failures_are_counted_and_effects_are_once_a_key():
    with Httpd() as s:
        same([curl("-w", "%{http_code}", s.url("/flaky/x?fails=2"))[1][-3:] for _ in range(3)], ["503", "503", "200"])
        same([curl(s.url("/flaky/y?code=0"))[0] for _ in range(2)], [NOTHING, 0])
        key = ("-X", "POST", "-H", "Idempotency-Key: a")
        same([curl(*key, s.url("/effect/e?lose=1")) for _ in range(3)], [(NOTHING, ""), (0, "1"), (0, "1")])
        same(curl("-X", "POST", s.url("/effect/e"))[1], "2")
        same(s.effects["e"], ["a", None])


def test_what_is_slow_or_never_ends():
    with Httpd() as s:
        for path in ("/hang", "/hang/status", "/hang/headers", "/hang/body", "/slow-headers", "/slow-body", "/never-reads"):
            same((path, curl("--max-time", "1", "-d", "x", s.url(path))[0]), (path, OUT_OF_TIME))
        same(curl(s.url("/slow-body/20?rate=200"))[1], "x" * 20)
        same(curl("--max-filesize", "1000000", s.url("/endless?length=10000000000"))[0], TOO_BIG)
        done = subprocess.run("curl -s '%s' | head -c 100000000 | wc -c" % s.url("/endless"), shell=True, capture_output=True, text=True)
        same(done.stdout.strip(), "100000000")
        assert curl(s.url("/endless-headers"))[0] in (RECEIVE, 100, 27), curl(s.url("/endless-headers"))
        assert len(curl("-D", "-", s.url("/headers/100/200"))[1]) > 20000
        deadline(20, "all connections end", lambda: not s.open)


def test_encodings_true_and_false():
    with Httpd() as s:
        def read(path):
            status, body = curl("--compressed", s.url(path))
            return status, len(body)
        for path in ("/gzip/160000", "/deflate/160000", "/gzip/160000?twice=1"):
            same((path,) + read(path), (path, 0, 160000))
        for fault in ("crc", "garbage"):
            assert read("/gzip/160000?break=" + fault)[0] in (BAD_ENCODING, 23), (fault, read("/gzip/160000?break=" + fault))
        same(read("/encoding/rot13")[0], BAD_ENCODING)
        same((read("/bomb/100"), read("/bomb/10?as=deflate")[1]), ((0, 100 << 20), 10 << 20))
        assert len(curl(s.url("/bomb/100"))[1]) < 200000


def test_what_breaks_off_and_lies():
    with Httpd() as s:
        expected = {"/close": NOTHING, "/close/body": PARTIAL, "/close/chunk": PARTIAL, "/close/body?reset=1": RECEIVE, "/lie/length-more": PARTIAL, "/lie/chunk-no-end": PARTIAL,
                    "/lie/chunk-text": RECEIVE, "/lie/not-http": 1, "/lie/length-negative": 8}
        for path, status in expected.items():
            same((path, curl(s.url(path))[0]), (path, status))
        for name in LIES:
            assert curl("--max-time", "5", s.url("/lie/" + name))[0] != OUT_OF_TIME, name
        s.raw["/mine"] = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"]
        same([curl(s.url("/mine"))[1] for _ in range(3)], ["1", "2", "2"])


def test_bodies_that_are_not_wanted():
    with Httpd() as s, tempfile.NamedTemporaryFile() as big:
        big.truncate(2 << 20)
        same(curl("-w", "%{http_code}", "-T", big.name, s.url("/refuse-body"))[1][-3:], "417")
        same(len(json.loads(curl("-T", big.name, "-H", "Expect: 100-continue", s.url("/no-continue"))[1])["body"]), 2 << 20)


def test_certificates_good_and_bad():
    with Certificates() as c:
        ana, ours = c.client("ana"), c.server("localhost", "127.0.0.1")
        with Httpd(tls=ours, client_ca=c.ca) as s:
            same(json.loads(curl("--cacert", c.ca, "--cert", ana[0], "--key", ana[1], s.url("/echo", "localhost"))[1])["client"], "ana")
            # How a client learns that it is refused is up to the moment: nothing that it asked has come.
            assert curl("--cacert", c.ca, s.url("/echo"))[0] not in (0, OUT_OF_TIME)
            same(len(s.requests), 1)
        cases = {"good": (ours, 0), "other": (c.server("other.test"), BAD_CERTIFICATE), "expired": (c.server("localhost", expired=True), BAD_CERTIFICATE),
                 "early": (c.server("localhost", not_yet=True), BAD_CERTIFICATE), "self-signed": (c.server("localhost", self_signed=True), BAD_CERTIFICATE)}
        for name, (files, status) in cases.items():
            with Httpd(tls=files) as s:
                same((name, curl("--cacert", c.ca, s.url("/status/200", "localhost"))[0]), (name, status))
        with Httpd(tls=ours) as s:
            same(curl(s.url("/status/200", "localhost"))[0], BAD_CERTIFICATE)
        for tls, status in (("hang", OUT_OF_TIME), ("garbage", 35)):
            with Httpd(tls=tls) as s:
                same((tls, curl("--max-time", "1", s.url("/"))[0]), (tls, status))


def test_names_resolve_to_what_a_test_says():
    if not can_mount():
        raise Skip("names of its own take root and mounts")
    with Httpd("127.0.0.2") as s, Names({"web.test": ["127.0.0.2"], "rebind.test": [["127.0.0.2"], ["127.0.0.3"]], "silent.test": None}) as names:
        where = "http://%s.test:%d/status/200"
        same(curl(where % ("web", s.port), prefix=names.prefix)[0], 0)
        same([curl(where % ("rebind", s.port), prefix=names.prefix)[0] for _ in range(2)], [0, COULD_NOT_CONNECT])
        same(names.asked["rebind.test"], 2)
        same(curl(where % ("unknown", s.port), prefix=names.prefix)[0], COULD_NOT_RESOLVE)
        assert curl("--max-time", "1", where % ("silent", s.port), prefix=names.prefix)[0] in (COULD_NOT_RESOLVE, OUT_OF_TIME)
        assert names.asked["silent.test"] >= 1


TESTS = [v for k, v in list(globals().items()) if k.startswith("test_")]

if __name__ == "__main__":
    sys.exit(run_host_tests(TESTS))
