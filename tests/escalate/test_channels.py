#!/usr/bin/env python3
"""Messages to people by command, webhook and mail: what arrives, what is said of it, and servers that misbehave, which hold nobody."""
# limit: 240
import hashlib, hmac, json, os, signal, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from certificates import Certificates
from host import everything_stored
from httpd import Httpd
from oncall import OnCall, write
from smtpd import Smtpd
from world import run_tests, same

tests = []
SECRET = "correct-horse-battery-staple"


def test(f):
    tests.append(f)
    return f


def people(**channels):
    return "people:\n" + "".join("  %s: {channels: [%s]}\n" % (n, ", ".join(c) if isinstance(c, list) else c) for n, c in channels.items())


def mail_at(server, more="tls: none", host="127.0.0.1"):
    return "mail: {server: %s, port: %d, from: rung@example.net, %s}\n" % (host, server.port, more)


def result(got, word, *parts):
    """The only result is this one; its sentence has the parts."""
    same(got[0][0], word)
    for p in parts:
        assert p in (got[0][1] or ""), got


# Commands

@test
def a_command_gets_the_message(w):
    script = w.path("pager")
    write(script, "#!/bin/sh\ncat > %s; env > %s; pwd > %s\n" % (w.path("in"), w.path("env"), w.path("pwd")), 0o755)
    w.oncall(people(ana="{command: [%s, --to, ana]}" % script))
    same(w.test("ana"), [("delivered", None)])
    said = json.load(open(w.path("in")))
    same((said["kind"], said["person"], said["subject"], said["notification"]), ("test", "ana", "[rung] a test message for ana", 1))
    env = dict(l.rstrip("\n").split("=", 1) for l in open(w.path("env")))
    same((env["RUNG_PERSON"], env["RUNG_SUBJECT"], env["RUNG_KEY"]), ("ana", said["subject"], said["incident"] + ".1"))
    same(sorted(n for n in env if not n.startswith("RUNG_")), ["HOME", "LC_ALL", "PATH", "PWD"])
    same(open(w.path("pwd")).read().strip(), w.folder)


@test
def how_a_command_ends_says_whether_it_delivered(w):
    w.oncall(people(fails="{command: [%s]}" % "sh, -c, 'echo the modem is gone >&2; exit 3'", none="{command: [/no/such/pager]}",
                    slow="{command: [sleep, '60'], timeout: 1s}", killed="{command: [sh, -c, 'kill -9 $$']}", loud="{command: [sh, -c, 'yes >&2 & yes'], timeout: 1s}"))
    result(w.test("fails"), "failed", "exit status 3", "the modem is gone")
    result(w.test("none"), "failed", "/no/such/pager")
    result(w.test("slow"), "unknown", "took longer")
    result(w.test("killed"), "failed", "signal 9")
    result(w.test("loud"), "unknown", "took longer")


@test
def who_asks_for_a_test_message_is_in_the_journal(w):
    w.oncall(people(ana="{command: [sh, -c, 'cat > %s']}" % w.path("got")))
    same(w.test("ana"), [("delivered", None)])
    said = [k for k in w.journal(None) if k["k"] == "oncall.tested"][-1]
    same((said["by"], said["d"]), (w.client.ask("hello")["principal"], {"person": "ana", "channels": 1}))


@test
def a_command_ends_with_its_engine(w):
    w.oncall(people(ana="{command: [sh, -c, 'echo $$ > %s; sleep 1000']}" % w.path("pid")))
    w.client.send({"id": 1, "op": "oncall.test", "args": {"workspace": w.folder, "person": "ana"}})
    pid = int(r.deadline(20, "the command runs", lambda: os.path.exists(w.path("pid")) and open(w.path("pid")).read().strip()))
    w.engine.kill()
    r.deadline(20, "the command has ended", lambda: not os.path.exists("/proc/%d" % pid))
    w.engine.start()
    w.client = w.engine.client()


# Webhooks

@test
def a_webhook_is_signed(w):
    with Httpd() as server:
        w.secrets(hook=SECRET)
        w.oncall(people(ana='{webhook: "%s", secret: hook}' % server.url("/echo"), bo='{webhook: "%s"}' % server.url("/echo")))
        same(w.test("ana") + w.test("bo"), [("delivered", None)] * 2)
        sent, plain = server.requests
        body = json.loads(sent.body)
        same((sent.method, sent.header("Content-Type"), body["kind"], body["person"]), ("POST", "application/json", "test", "ana"))
        same(sent.header("Idempotency-Key"), body["key"])
        at = sent.header("Rung-Timestamp")
        assert abs(time.time() - int(at)) < 60, at
        same(sent.header("Rung-Signature"), "v1=" + hmac.new(SECRET.encode(), at.encode() + b"." + sent.body, hashlib.sha256).hexdigest())
        same((plain.header("Rung-Signature"), plain.header("Rung-Timestamp")), (None, None))
    assert not any(SECRET.encode() in data for data in everything_stored(w).values())


@test
def what_a_webhook_answers(w):
    with Httpd() as server:
        server.raw["/drop"], server.raw["/garbage"], server.raw["/half"] = b"", b"\0\1\2 what is that\r\n\r\n", b"HTTP/1.1 20"
        for path, word, part in (("/status/204", "delivered", ""), ("/status/500", "failed", "status 500"), ("/status/404", "failed", "status 404"),
                                 ("/redirect/301?to=/echo", "failed", ""), ("/status/302?header=Location:+%2Fecho", "failed", "302"), ("/drop", "unknown", "closed"),
                                 ("/garbage", "unknown", ""), ("/half", "unknown", ""), ("/hang", "unknown", "time")):
            before = len(server.requests)
            w.oncall(people(ana='{webhook: "%s", timeout: 1s}' % server.url(path)))
            result(w.test("ana"), word, part)
            same(len(server.requests) - before, 1)  # never twice, nowhere else
    w.oncall(people(ana='{webhook: "%s"}' % server.url("/echo")))
    result(w.test("ana"), "failed", "no connection")


@test
def a_webhook_by_tls_is_checked(w):
    with Certificates() as c, Httpd(tls=c.server("localhost")) as good, Httpd(tls=c.server("other.test")) as other, Httpd(tls="hang") as hangs, Httpd(tls="garbage") as garbage:
        write(w.path(".rung/config.yaml"), "version: 1\nhttp: {ca: %s}\n" % c.ca, 0o644)
        w.restart()
        w.oncall(people(**{n: '{webhook: "https://localhost:%d/echo", timeout: 1s}' % s.port for n, s in (("good", good), ("other", other), ("hangs", hangs), ("garbage", garbage))}))
        same(w.test("good"), [("delivered", None)])
        for name, part in (("other", "certificate"), ("hangs", ""), ("garbage", "")):
            result(w.test(name), "failed", part)


# Mail

@test
def a_mail_arrives(w):
    with Smtpd() as server:
        w.oncall(people(ana="{mail: ana@example.net}") + mail_at(server))
        same(w.test("ana"), [("delivered", None)])
        mail = server.mails[0]
        same((mail.sender, mail.recipients), ("rung@example.net", ["ana@example.net"]))
        m = mail.message
        same((m["From"], m["To"], m["Subject"]), ("rung@example.net", "ana@example.net", "[rung] a test message for ana"))
        same((m["Auto-Submitted"], m["List-Id"], m["MIME-Version"]), ("auto-generated", "<rung.example.net>", "1.0"))
        assert m["Message-ID"].endswith(".1@example.net>") and m["Date"].endswith("+0000"), m.items()
        assert "This is a test message for ana." in mail.text


@test
def mail_by_tls_and_with_a_login(w):
    with Certificates() as c, Smtpd(tls=c.server("localhost"), users={"rung": SECRET}) as starts, Smtpd(tls=c.server("localhost"), implicit=True, users={"rung": SECRET}) as implicit, \
            Smtpd(tls=c.server("other.test")) as other, Smtpd() as plain:
        w.secrets(smtp=SECRET, wrong="not-the-password")
        login = "user: rung, secret: smtp, ca: %s" % c.ca
        for server, more in ((starts, "tls: starttls, " + login), (implicit, "tls: implicit, " + login)):
            w.oncall(people(ana="{mail: ana@example.net}") + mail_at(server, more, "localhost"))
            same(w.test("ana"), [("delivered", None)])
            same((server.mails[0].is_tls, server.mails[0].user), (True, "rung"))
        for server, more, part in ((other, "tls: starttls, ca: %s" % c.ca, "certificate"), (plain, "tls: starttls", "no TLS"),
                                   (starts, "tls: starttls, user: rung, secret: wrong, ca: %s" % c.ca, "does not take the user"), (starts, "tls: starttls, user: rung, secret: missing", "missing")):
            before = len(server.mails)
            w.oncall(people(ana="{mail: ana@example.net}") + mail_at(server, more, "localhost"))
            result(w.test("ana"), "failed", part)
            same(len(server.mails), before)
    assert not any(SECRET.encode() in data for data in everything_stored(w).values())


@test
def a_mail_server_that_misbehaves(w):
    """Before the end of the message: failed. Behind it: nobody knows. A word is a word."""
    stages = ("greeting", "ehlo", "mail", "rcpt", "data")
    cases = [(s, how, "failed") for s in stages for how in ("hang", "drop", "garbage", "endless", "long")]
    cases += [("greeting", "554 5.7.1 go away", "failed"), ("rcpt", "550 5.1.1 nobody of that name", "failed"), ("data.end", "451 4.3.0 come back later", "failed"),
              ("data.end", "hang", "unknown"), ("data.end", "drop", "unknown"), ("data.end", "garbage", "unknown"), ("data.end", "endless", "unknown"), ("quit", "hang", "delivered")]
    servers = [Smtpd(takes_anyway=True) for _ in cases]
    try:
        for (stage, how, word), server in zip(cases, servers):
            server.at[stage] = how
        asked = []
        for i, ((stage, how, word), server) in enumerate(zip(cases, servers)):
            # Each with a client of its own: a server that hangs holds no other message.
            w.oncall("defaults: {retries: {timeout: 4s}}\n" + people(ana="{mail: ana@example.net}") + mail_at(server))
            client = w.engine.client()
            client.send({"id": 900, "op": "oncall.test", "args": {"workspace": w.folder, "person": "ana"}})
            r.deadline(20, "a connection", lambda: server.sockets)  # the next message has another file
            asked.append(client)
        for (stage, how, word), client in zip(cases, asked):
            got = [c for h, _ in client.events if h.get("re") == 900 for c in h["value"]["channels"]]
            while not got:
                head, _ = client.event(30)
                got = head["value"]["channels"] if head.get("re") == 900 else []
            assert got[0]["result"] == word, (stage, how, word, got)
            if how[0].isdigit():
                assert how.split(" ", 2)[2] in got[0]["why"], got
    finally:
        for s in servers:
            s.__exit__()


@test
def many_mails_at_once_and_a_server_that_hangs(w):
    with Smtpd() as slow, Smtpd() as fast:
        slow.at["data.end"] = "hang"
        w.oncall("defaults: {retries: {timeout: 5s}}\n" + people(ana=["{mail: ana@example.net}"] * 8) + mail_at(slow))
        w.client.send({"id": 900, "op": "oncall.test", "args": {"workspace": w.folder, "person": "ana"}})
        r.deadline(20, "all hang", lambda: slow.stages.count("data.end") == 8)
        w.oncall(people(bo="{mail: bo@example.net}") + mail_at(fast))
        started = time.monotonic()
        other = w.engine.client()
        same([c["result"] for c in other.ask("oncall.test", workspace=w.folder, person="bo")["channels"]], ["delivered"])
        assert time.monotonic() - started < 3, "a server that hangs holds no other"
        head, _ = w.client.event(30)
        same([c["result"] for c in head["value"]["channels"]], ["unknown"] * 8)


# The process that sends

def notifier(w):
    """The pid of the process that sends: the only actor where nothing runs."""
    found = []
    for pid in w.engine.children():
        try:
            with open("/proc/%d/cmdline" % pid) as f:
                if f.read().split("\0")[1:2] == ["actor"]:
                    found.append(pid)
        except OSError:
            pass
    return found[0] if found else None


@test
def where_the_process_dies_another_is_started(w):
    w.oncall(people(ana="{command: [sleep, '1000']}", bo="{command: ['true']}"))
    w.client.send({"id": 900, "op": "oncall.test", "args": {"workspace": w.folder, "person": "ana"}})
    pid = r.deadline(20, "it runs", lambda: notifier(w))
    r.deadline(20, "the command runs", lambda: any("sleep" in open("/proc/%d/cmdline" % p).read() for p in w.engine.children() if os.path.exists("/proc/%d/cmdline" % p)))
    os.kill(pid, signal.SIGKILL)
    head, _ = w.client.event(30)
    same([(c["result"], c["why"]) for c in head["value"]["channels"]], [("unknown", "the process that sent it ended")])
    same(w.test("bo"), [("delivered", None)])
    assert notifier(w) != pid


@test
def a_process_that_stands_still_is_ended(w):
    w.oncall("defaults: {retries: {timeout: 1s}}\n" + people(ana="{command: ['true']}"))
    same(w.test("ana"), [("delivered", None)])
    os.kill(notifier(w), signal.SIGSTOP)
    result(w.test("ana"), "unknown", "ended")
    same(w.test("ana"), [("delivered", None)])


@test
def what_cannot_be_sent_says_why(w):
    w.oncall(people(ana="{mail: ana@example.net}", bo='{webhook: "http://127.0.0.1:1/", secret: nothing}'))
    result(w.test("ana"), "failed", "where mail leaves")
    result(w.test("bo"), "failed", "there is no secret nothing")
    for person in ("cy", ""):
        try:
            w.test(person)
            raise AssertionError("somebody was found")
        except r.Refused as e:
            same(e.kind, "not_found")
    write(w.path(".rung/oncall.yaml"), "version: 2\n", 0o644)
    try:
        w.test("ana")
        raise AssertionError("a broken file was used")
    except r.Refused as e:
        same(e.kind, "invalid")
    os.chmod(w.path(".rung/oncall.yaml"), 0o666)


sys.exit(run_tests(tests, world=OnCall))
