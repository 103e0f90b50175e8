#!/usr/bin/env python3
"""Secrets: who gets them, what is recorded, and that none of a hundred is found anywhere afterwards."""
# limit: 300
import base64, json, os, pty, random, select, shlex, signal, subprocess, sys, time, urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from host import everything_stored, memory_of
from world import run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


def write(path, data, mode=0o600):
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, mode)


def secrets(w, text):
    os.makedirs(w.path(".rung"), exist_ok=True)
    write(w.path(".rung/secrets.yaml"), "version: 1\nsecrets:\n" + "".join("  %s\n" % l for l in text), 0o644)


SH = ("sh sh -c *", "sh cat **", "sh python3 **")


@test
def a_command_gets_the_value_and_nobody_else(w):
    write(w.path("db"), "hunter22\n")
    secrets(w, ["db: {file: db}", "cmd: {command: [echo, correct-horse], timeout: 5s}"])
    v = w.over(w.run(w.lua("""local r = sh({"sh", "-c", '[ "$A" = hunter22 ] && [ "$(cat)" = correct-horse ] && echo "got $A" && echo "$A" >&2'}, {env = {A = secret "db"}, stdin = secret "cmd"})
        local n = sh{"sh", "-c", "echo nothing"}
        return {out = r.stdout, err = r.stderr, redacted = r.redacted, not_redacted = n.redacted == nil}""", permissions=SH + ("secret db", "secret cmd"))))
    same((v["state"], v["steps"][0]["why"]), ("succeeded", None))
    same(v["steps"][0]["result"], {"out": "got [secret db]\n", "err": "[secret db]\n", "redacted": True, "not_redacted": True})
    records = w.records(v["execution"])
    used = [k for k in records if k["k"] == "secret.used"]
    same([(k["c"], sorted(k["d"]["names"])) for k in used], [(1, ["cmd", "db"])])
    finished = [k for k in records if k["k"] == "call.finished"]
    same([k["d"].get("is_redacted") for k in finished], [True, None])
    order = [k["k"] for k in records]
    assert order.index("call.started") < order.index("secret.used") < order.index("call.finished"), order


@test
def a_right_is_needed_for_each(w):
    write(w.path("db"), "hunter22\n")
    secrets(w, ["db: {file: db}", "api: {file: db}"])
    lua = 'sh({"sh", "-c", "echo never > %s"}, {env = {A = secret "db", B = secret "api"}})' % w.path("never")
    v = w.over(w.run(w.lua(lua, permissions=SH + ("secret db",))))
    same(states(v), ["denied"])
    same(v["denied"][0]["pattern"], "secret api")
    assert "secret.used" not in w.kinds(v["execution"])
    v = w.over(w.run(w.lua((lua, 'permissions="sh **"'), permissions=SH + ("secret *",))))
    same(states(v), ["denied"])
    assert not os.path.exists(w.path("never"))


@test
def what_is_wrong_is_said_without_the_value(w):
    write(w.path("open"), "hunter22\n", 0o644)
    write(w.path("short"), "hunter2\n")
    secrets(w, ["open: {file: open}", "short: {file: short}", "gone: {environment: RUNG_TEST_GONE}", "fails: {command: [sh, -c, 'echo hunter22; exit 5']}"])
    def why(name):
        v = w.over(w.run(w.lua('sh({"sh", "-c", "true"}, {env = {A = secret "%s"}})' % name, permissions=SH + ("secret *",))))
        same(v["state"], "failed")
        assert "hunter" not in v["steps"][0]["why"], v["steps"][0]["why"]
        return v["steps"][0]["why"]
    assert "chmod 600" in why("open")
    assert "fewer than 8 bytes" in why("short")
    assert "RUNG_TEST_GONE" in why("gone")
    assert "exit status 5" in why("fails")
    assert "there is no secret nobody" in why("nobody")
    secrets(w, ["db: hunter22"])
    assert "secrets.yaml:3:" in why("db")
    os.unlink(w.path(".rung/secrets.yaml"))
    assert "there is no secret db" in why("db")
    secrets(w, ["db: {file: short}"])
    os.chmod(w.path(".rung/secrets.yaml"), 0o666)
    assert "can be written by others" in why("db")


@test
def what_an_earlier_command_wrote_is_taken_out_after_a_crash_too(w):
    write(w.path("db"), "hunter22\n")
    secrets(w, ["db: {file: db}"])
    written = w.path("written")
    x = w.run(w.lua('sh({"sh", "-c", "printf %%s $A > %s"}, {env = {A = secret "db"}})' % written, 'return {a = ask{prompt = "go on?"}}',
                    'return {out = sh{"cat", "%s"}.stdout}' % written, permissions=SH + ("secret db",)))
    w.waits(x, "s1", "answer")
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s1", "answer")
    call = w.view(x)["questions"][0]["call"]
    w.client.ask("answer", execution=x, step="s1", call=call, value="yes")
    v = w.over(x)
    same((v["state"], v["steps"][2]["result"]), ("succeeded", {"out": "[secret db]"}))


PARAM = "## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| token | secret | | For the registry |\n"
USES = 'return {out = sh({"sh", "-c", "echo $A ${#A}"}, {env = {A = params.token}}).stdout, name = tostring(params.token)}'
USED = {"out": "[secret param:token] 13\n", "name": "secret param:token"}


@test
def a_secret_parameter_is_a_handle_and_is_given_again(w):
    path = w.lua(USES, 'ask{prompt = "on?"}', USES, head=PARAM, permissions=SH)
    for value in ("short", None):
        try:
            w.run(path, params={"token": value} if value else {})
            raise AssertionError("it ran")
        except r.Refused as e:
            same(e.kind, "invalid")
            assert "token" in e.text and "short" not in e.text.split("token", 1)[0], e.text
    x = w.run(path, params={"token": "correct-horse"})
    w.waits(x, "s1", "answer")
    same(w.view(x)["params"], {"token": {"secret": "param:token"}})
    w.restart()
    same(w.view(x)["secrets_missing"], ["token"])
    for given in ({}, {"token": "short"}):
        try:
            w.client.ask("resume", execution=x, secrets=given)
            raise AssertionError("it went on")
        except r.Refused as e:
            same(e.kind, "invalid")
    w.client.ask("resume", execution=x, secrets={"token": "correct-horse"})
    w.waits(x, "s1", "answer")
    w.client.ask("answer", execution=x, step="s1", call=1, value="yes")
    v = w.over(x)
    same([v["steps"][0]["result"], v["steps"][2]["result"]], [USED, USED])
    same(find(everything_stored(w), {"token": "correct-horse"}), [])


@test
def the_command_line_takes_a_secret_where_nobody_sees_it(w):
    path = w.lua(USES, head=PARAM, permissions=SH)
    def rung(*arguments, **environment):
        return subprocess.run([w.engine.program, "run", "--state", w.engine.state, path] + list(arguments), env=dict(w.engine.environment(), **environment),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
    done = rung("--auto", "--allow", "declared", "--param", "token=correct-horse")
    same(done.returncode, 2)
    assert "RUNG_SECRET_token" in done.stderr and "correct" not in done.stderr, done.stderr
    done = rung("--auto", "--allow", "declared")
    same(done.returncode, 3)
    assert "RUNG_SECRET_token" in done.stderr, done.stderr
    done = rung("--auto", "--allow", "declared", RUNG_SECRET_token="correct-horse")
    same((done.returncode, "correct" in done.stdout + done.stderr), (0, False))
    done = rung("--dry-run", "--json", RUNG_SECRET_token="correct-horse")
    same(json.loads(done.stdout)["params"], {"token": {"secret": "param:token"}})


@test
def what_is_typed_is_not_shown(w):
    path = w.lua(USES, head=PARAM, permissions=SH)
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(w.engine.environment(), TERM="xterm")
        os.execv(w.engine.program, ["rung", "run", "--state", w.engine.state, path, "--auto", "--allow", "declared"])
    seen = b""
    def read_until(what):
        nonlocal seen
        end = time.monotonic() + 60
        while what not in seen:
            if time.monotonic() > end or not select.select([fd], [], [], 60)[0]:
                raise AssertionError("%r did not come: %r" % (what, seen))
            seen += os.read(fd, 65536)
    try:
        read_until(b"not shown")
        os.write(fd, b"correct-horse\n")
        read_until(b"succeeded")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
    assert b"correct" not in seen, seen


# ---- a hundred of them ----

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
ODD = " '\"\\/+&%$<>?=~`|;*#!@é😀\n\t"


def canary(i, rng):
    text = "".join(rng.choice(LETTERS) for _ in range(12)) + "".join(rng.choice(ODD + LETTERS) for _ in range(i % 12)) + "".join(rng.choice(LETTERS) for _ in range(6))
    return text


def inner(value, before, encode):
    """The characters of base64 that the value alone decides."""
    first = {0: 0, 1: 2, 2: 3}[before]
    text = encode(b"\0" * before + value).decode().rstrip("=")
    return text[first:(8 * (before + len(value))) // 6]


def forms(text):
    """Every form, made by other means than the engine's."""
    value = text.encode()
    out = {text, value.hex(), value.hex().upper(), urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text), urllib.parse.quote(text, safe="!$&'()*+,;=:@/?"),
           "".join("%%%02x" % b for b in value), "".join("%%%02X" % b for b in value), json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1],
           json.dumps(text)[1:-1].replace("/", "\\/"), "".join("\\u%04x" % b for b in value), shlex.quote(text).strip("'"), text.replace("'", "'\\''"),
           value.hex(" "), value.hex(":")}
    for before in range(3):
        out.add(inner(value, before, base64.b64encode))
        out.add(inner(value, before, base64.urlsafe_b64encode))
    return sorted(out)


# Prints every form of every variable that is named like one, each cut at another place, to both streams.
PRINTER = r'''
import base64, json, os, shlex, sys, urllib.parse
number = 0
def show(text):
    global number
    data = text.encode() if isinstance(text, str) else text
    at = number % (len(data) + 1)
    number += 1
    for piece in (data[:at], data[at:], b"\n"):
        os.write(1 + number % 2, piece)
for name in sorted(os.environ):
    if not name.startswith("CANARY"): continue
    text = os.environ[name]
    value = text.encode()
    for cut in range(len(value) + 1):
        os.write(1, value[:cut]); os.write(1, value[cut:]); os.write(1, b".")
    for form in (text, value.hex(), value.hex().upper(), urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text), urllib.parse.quote(text, safe="!$&'()*+,;=:@/?"),
                 "".join("%%%02x" % b for b in value), "".join("%%%02X" % b for b in value), json.dumps(text), json.dumps(text, ensure_ascii=False),
                 json.dumps(text).replace("/", "\\/"), "".join("\\u%04x" % b for b in value), shlex.quote(text), "'" + text.replace("'", "'\\''") + "'", value.hex(" "), value.hex(":")):
        show(form)
    for before in (b"", b"u", b"u:"):
        show(base64.b64encode(before + value)); show(base64.urlsafe_b64encode(before + value)); show(base64.encodebytes(before + value * 4))
    for byte in value: os.write(2, bytes([byte]))
print("end", file=sys.stderr)
'''


class Recorder:
    """A client's socket that keeps every byte that came."""

    def __init__(self, sock):
        self.sock, self.seen = sock, bytearray()

    def recv(self, n):
        got = self.sock.recv(n)
        self.seen += got
        return got

    def __getattr__(self, name):
        return getattr(self.sock, name)


def find(where, canaries):
    found = []
    for place, data in where.items():
        for name, text in canaries.items():
            for form in forms(text):
                if form.encode() in data:
                    found.append("%s in %s as %r" % (name, place, form))
    return found


@test
def a_hundred_canaries_are_found_nowhere(w):
    rng = random.Random(20261122)
    canaries, lines, environment = {}, [], {}
    for i in range(100):
        name, text = "c%02d" % i, canary(i, rng)
        canaries[name] = text
        if i % 3 == 0:
            write(w.path(name), text + "\n")
            lines.append("%s: {file: %s}" % (name, name))
        elif i % 3 == 1:
            write(w.path(name), text)
            lines.append("%s: {command: [cat, %s]}" % (name, w.path(name)))
        else:
            environment["RUNG_TEST_" + name] = text
            lines.append("%s: {environment: RUNG_TEST_%s}" % (name, name))
    w.engine.stop()
    os.environ.update(environment)
    try:
        w.engine.start()
    finally:
        for name in environment:
            del os.environ[name]
    w.client = w.engine.client()
    w.client.sock = Recorder(w.client.sock)
    secrets(w, lines)
    write(w.path("printer.py"), PRINTER)
    kept = w.path("kept")
    steps = []
    for group in range(10):
        env = ", ".join('CANARY%d = secret "c%02d"' % (i, i) for i in range(group * 10, group * 10 + 10))
        steps.append('local r = sh({"python3", "%s"}, {env = {%s, PYTHONUTF8 = "1"}}) log.info(r.stdout) print(r.stderr)\n'
                     'sh({"sh", "-c", "cat >> %s"}, {stdin = secret "c%02d"})\n'
                     'return {out = r.stdout, tail = r.stderr}' % (w.path("printer.py"), env, kept, group * 10))
    steps.append('local r = sh{"cat", "%s"} local p = ask{prompt = r.stdout} return {r.stdout, p}' % kept)
    steps.append(('sh({"sh", "-c", "echo $CANARY; echo $CANARY >&2; exit 7"}, {env = {CANARY = secret "c00"}})', "on_failure=continue"))
    steps.append(('sh({"sh", "-c", "true"}, {cwd = "/nowhere/" .. steps.s0.out:sub(1, 200), env = {CANARY = secret "c03"}})', "on_failure=continue"))
    steps.append(('fail(sh({"sh", "-c", "echo $CANARY"}, {env = {CANARY = secret "c04"}}).stdout)', "on_failure=continue"))
    x = w.run(w.lua(*steps, permissions=SH + ("secret *",)))
    w.client.ask("attach", execution=x)
    w.waits(x, "s10", "answer", timeout=120)
    same(find(everything_stored(w), canaries), [])
    # The values of files and commands are in no process but the actor; those of the environment are in the engine's, where they came from.
    outside = {n: t for n, t in canaries.items() if "RUNG_TEST_" + n not in environment}
    looked = 0
    for pid in [w.engine.process.pid] + w.engine.children():
        with open("/proc/%d/comm" % pid) as f:
            comm = f.read().strip()
        memory = None if "actor" in comm else memory_of(pid)
        if memory:
            looked += 1
            plain = [n for n, t in outside.items() if t.encode() in memory]
            same((comm, plain), (comm, []))
    if not looked:
        print("# skipped: this user may not look into the memory of its processes")
    call = w.view(x)["questions"][0]["call"]
    w.client.ask("answer", execution=x, step="s10", call=call, value="yes")
    v = w.over(x, 60)
    same(v["steps"][0]["state"], "succeeded")
    assert "[secret c00]" in v["steps"][0]["result"]["out"], v["steps"][0]["result"]["out"][:300]
    assert "[secret c04]" in v["steps"][13]["why"], v["steps"][13]["why"]
    places = everything_stored(w)
    places["frames"] = bytes(w.client.sock.seen)
    for command in (["log", x, "--output"], ["log", x, "--json"], ["report", x], ["list"], ["verify"]):
        done = subprocess.run([w.engine.program] + command[:1] + ["--state", w.engine.state] + command[1:], env=w.engine.environment(), stdin=subprocess.DEVNULL,
                              capture_output=True)
        places["rung " + " ".join(command)] = done.stdout + done.stderr
    same(find(places, canaries), [])
    w.client.close()
    w.engine.stop()
    same(find(everything_stored(w), canaries), [])
    # The search is one that finds: what the command kept for itself has its canaries.
    with open(kept, "rb") as f:
        assert len(find({"kept": f.read()}, {"c00": canaries["c00"], "c30": canaries["c30"]})) >= 2


if __name__ == "__main__":
    sys.exit(run_tests(tests))
