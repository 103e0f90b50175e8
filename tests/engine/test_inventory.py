#!/usr/bin/env python3
"""The inventory in the engine: parameters and hosts() are looked up in it, its command is run once for all who ask, what was answered is what a replay sees.

limit: 240"""
import json, os, pwd, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from awkward import lines, processes, there, touch
from host import OTHER, ROOT, Host
from world import World, run_tests, same

tests = []
PARAMS = "## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| hosts | hosts | role=web | Where |\n"
ONE = "## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| host | host | | Where |\n"


def test(f):
    tests.append(f)
    return f


class Fleet(World):
    """An engine beside a workspace with an inventory."""

    def prepare(self):
        os.mkdir(self.path(".rung"))
        self.say("web-[1:3]: {labels: {role: web}}", "db: {labels: {role: db}}")

    def write(self, text):
        """As an editor saves it: another file in its place."""
        with open(self.path(".rung/new"), "w") as f:
            f.write(text)
        os.rename(self.path(".rung/new"), self.path(".rung/inventory.yaml"))

    def say(self, *hosts):
        self.write("version: 1\nhosts:\n" + "".join("  %s\n" % h for h in hosts))

    def command(self, script, **keys):
        """An inventory that a command prints; each run leaves a line in `runs`."""
        path = self.path("hosts.sh")
        with open(path, "w") as f:
            f.write("#!/bin/sh\necho run >> %s\n%s\n" % (self.path("runs"), script))
        os.chmod(path, 0o755)
        more = "".join(", %s: %s" % k for k in keys.items())
        self.write("version: 1\ndynamic: {command: [%s]%s}\n" % (path, more))

    def runs(self):
        return lines(self.path("runs"))

    def result(self, x, id="s0"):
        return next(s for s in self.view(x)["steps"] if s["id"] == id)["result"]


def prints(*names):
    return "echo '%s'" % json.dumps({"web": {"hosts": list(names)}})


def refused(f, kind):
    try:
        f()
    except r.Refused as e:
        same(e.kind, kind)
        return e.text
    raise AssertionError("it was not refused")


def started(w, x):
    return [k["d"] for k in w.records(x) if k["k"] == "call.started"]


# ---- hosts() ----

@test
def a_step_asks_which_hosts_there_are(w):
    x = w.run(w.lua("local web = hosts('role=web and not web-2') return {web = web, n = #web, none = hosts('role=db and web-1', {empty = true})}"))
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"web": ["web-1", "web-3"], "n": 2, "none": []})
    same([(d["module"], d["function"], d["effect"]) for d in started(w, x)], [("hosts", "query", "read")] * 2)
    call = next(s for s in w.view(x)["steps"])["calls"][0]
    same((call["words"], call["state"]), ("hosts role=web and not web-2", "ok"))


@test
def what_is_not_there_is_an_error_of_the_step(w):
    for query, why in (("rol=web", "did you mean \"role\"?"), ("role=db and web-1", "no host matches"), ("role=", "the query ends"), ("web-4", "did you mean \"web-1\"?")):
        x = w.run(w.lua("return hosts('%s')" % query))
        same(w.over(x)["state"], "failed")
        assert why in w.view(x)["steps"][0]["why"], w.view(x)["steps"][0]["why"]
    x = w.run(w.lua("local ok, e = pcall(hosts, 'web-9') return {ok = ok, kind = e.kind, why = e.why}"))
    same(w.over(x)["state"], "succeeded")
    assert w.result(x)["kind"] == "call" and w.result(x)["why"].startswith("hosts: hosts \"web-9\": "), w.result(x)


@test
def a_changed_file_counts_from_the_next_call(w):
    x = w.run(w.lua("local a = hosts('all') sh('touch %s; until [ -e %s ]; do sleep 0.02; done') return {a = a, b = hosts('all')}" % (w.path("asked"), w.path("go")),
                    permissions=["sh sh -c *"]))
    there(w.path("asked"))
    w.say("new: {}")
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"a": ["web-1", "web-2", "web-3", "db"], "b": ["new"]})


@test
def a_replay_sees_the_recorded_answer(w):
    source = "local h = hosts('role=web') sh('echo x >> %s; until [ -e %s ]; do sleep 0.02; done', {effect = 'read'}) return {h = h, now = hosts('all')}"
    x = w.run(w.lua(source % (w.path("ran"), w.path("go")), permissions=["sh sh -c *"]))
    r.deadline(20, "the command", lambda: lines(w.path("ran")) == 1)
    w.client.close()
    w.engine.kill()
    w.say("other: {labels: {role: web}}")
    touch(w.path("go"))
    w.engine.start()
    w.client = w.engine.client()
    w.client.ask("resume", execution=x)
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"h": ["web-1", "web-2", "web-3"], "now": ["other"]})
    same(lines(w.path("ran")), 2)
    # A further attempt is no replay.
    w.say("third: {labels: {role: web}}")
    y = w.run(w.lua("return hosts('role=web')"))
    same(w.over(y)["state"], "succeeded")
    same(w.result(y), ["third"])


# ---- parameters ----

def plan_of(w, x):
    return w.view(x)["plan"]


@test
def parameters_are_the_hosts_that_there_are_at_the_start(w):
    book = w.lua("return {n = #params.hosts, first = params.hosts[1]}", head=PARAMS)
    x = w.run(book)
    same(w.over(x)["state"], "succeeded")
    same(w.view(x)["params"], {"hosts": ["web-1", "web-2", "web-3"]})
    same(w.result(x), {"n": 3, "first": "web-1"})
    y = w.run(book, params={"hosts": "db, web-2"})
    same(w.view(y)["params"], {"hosts": ["db", "web-2"]})
    z = w.run(book, params={"hosts": ["WEB-3", "db", "web-3"]})
    same(w.view(z)["params"], {"hosts": ["web-3", "db"]})
    one = w.lua("return params.host", head=ONE)
    v = w.run(one, params={"host": "Web-1"})
    same(w.view(v)["params"], {"host": "web-1"})
    same(w.view(w.run(one, params={"host": "10.0.0.7"}))["params"], {"host": "10.0.0.7"})


@test
def the_plan_is_another_where_the_hosts_are_others(w):
    book = w.lua("return 1", head=PARAMS)
    first, again = plan_of(w, w.run(book)), plan_of(w, w.run(book))
    same(first, again)
    w.say("web-[1:3]: {labels: {role: web}}", "db: {labels: {role: db}}", "more: {labels: {role: db}}")
    same(plan_of(w, w.run(book)), first)  # a host that the query does not name
    w.say("web-[1:4]: {labels: {role: web}}", "db: {labels: {role: db}}")
    assert plan_of(w, w.run(book)) != first
    w.say("web-[1:3]: {labels: {role: web}}", "db: {labels: {role: db}}")
    same(plan_of(w, w.run(book)), first)
    assert plan_of(w, w.run(book, params={"hosts": "web-1, web-2, web-3"})) != first  # the same hosts of another query


@test
def nothing_starts_on_hosts_that_are_not_there(w):
    book = w.lua("return 1", head=PARAMS)
    for value, why in (("role=none", "no host matches \"role=none\""), ("rol=web", "did you mean \"role\"?"), (["web-1", "web-9"], "there is no host \"web-9\""), ([], "empty"),
                       ([1], "a list of the names"), ("web-1 web-2", "a comma or the end was expected")):
        text = refused(lambda: w.run(book, params={"hosts": value}), "invalid")
        assert why in text and "parameter hosts" in text, text
    one = w.lua("return 1", head=ONE)
    for value, why in (("web-9", "did you mean \"web-1\"?"), ("web-*", "the name of one host"), ("all", "all is a group")):
        assert why in refused(lambda: w.run(one, params={"host": value}), "invalid")
    os.unlink(w.path(".rung/inventory.yaml"))
    assert "there is none: write .rung/inventory.yaml" in refused(lambda: w.run(book), "invalid")
    same(w.view(w.run(book, params={"hosts": "a, b"}))["params"], {"hosts": ["a", "b"]})
    w.write("version: 1\nhosts: {a: {adress: x}}\n")
    assert ".rung/inventory.yaml:2:13: a host has no \"adress\"" in refused(lambda: w.run(book), "invalid")
    same(w.client.ask("log", open=False, limit=100)["executions"][0]["book"].endswith("book1.md"), True)


@test
def a_restart_keeps_the_hosts_of_the_start(w):
    book = w.lua("sh('touch %s; until [ -e %s ]; do sleep 0.02; done', {effect = 'read'}) return params.hosts" % (w.path("ran"), w.path("go")), head=PARAMS,
                 permissions=["sh sh -c *"])
    x = w.run(book)
    there(w.path("ran"))
    w.client.close()
    w.engine.kill()
    w.say("other: {labels: {role: web}}")
    touch(w.path("go"))
    w.engine.start()
    w.client = w.engine.client()
    w.client.ask("resume", execution=x)
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), ["web-1", "web-2", "web-3"])


@test
def a_file_that_others_can_write_is_not_used(w):
    os.chmod(w.path(".rung/inventory.yaml"), 0o666)
    assert "can be written by others" in refused(lambda: w.run(w.lua("return 1", head=PARAMS)), "denied")
    os.chmod(w.path(".rung/inventory.yaml"), 0o644)
    same(w.over(w.run(w.lua("return 1", head=PARAMS)))["state"], "succeeded")


# ---- the command ----

@test
def the_command_is_run_once_for_its_time(w):
    w.command(prints("web-10", "web-9"))
    book = w.lua("return {hosts('web'), params.hosts}", head=PARAMS.replace("role=web", "web"))
    for _ in range(3):
        x = w.run(book)
        same(w.over(x)["state"], "succeeded")
        same(w.result(x), [["web-9", "web-10"]] * 2)
    same(w.runs(), 1)
    other = w.lua("return 1")  # one that names no hosts asks for none
    w.command(prints("a"), cache="0s")
    same(w.over(w.run(other))["state"], "succeeded")
    same(w.runs(), 1)
    for i in range(2):
        same(w.over(w.run(w.lua("return hosts('all')")))["state"], "succeeded")
    same(w.runs(), 3)


@test
def all_who_ask_meanwhile_wait_for_one_run(w):
    w.command("until [ -e %s ]; do sleep 0.02; done; %s" % (w.path("go"), prints("a", "b")))
    book = w.lua("return params.hosts", head=PARAMS.replace("role=web", "web"))
    got, clients = [], [w.engine.client() for _ in range(4)]
    def ask(c):
        got.append(c.ask("run", book=book, mode="auto", declared=True)["execution"])
    threads = [threading.Thread(target=ask, args=(c,)) for c in clients]
    for t in threads:
        t.start()
    there(w.path("runs"))
    # A step that asks waits too, and the engine serves others meanwhile.
    x = w.run(w.lua("return hosts('a')"))
    same(w.client.ask("hello")["pid"], w.engine.process.pid)
    # One that has gone is waited for by nobody.
    c = w.engine.client()
    c.send({"id": 1, "op": "run", "args": {"book": book, "mode": "auto", "declared": True}})
    c.close()
    touch(w.path("go"))
    for t in threads:
        t.join()
    same([w.over(y)["state"] for y in got], ["succeeded"] * 4)
    same([w.result(y) for y in got], [["a", "b"]] * 4)
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), ["a"])
    same(w.runs(), 1)


@test
def who_waits_is_told(w):
    w.command("until [ -e %s ]; do sleep 0.02; done; %s" % (w.path("go"), prints("a")), timeout="50s")
    c = w.engine.client()
    c.send({"id": 7, "op": "hosts", "args": {"workspace": w.folder}})
    head, _ = c.event()
    same((head["ev"], head["request"], head["us"]), ("waits", 7, 50000000))
    touch(w.path("go"))
    head, _ = c.event()
    same([h["name"] for h in head["value"]["hosts"]], ["a"])
    c.close()


@test
def a_command_that_fails_is_an_error_for_who_asks(w):
    book = w.lua("return params.hosts", head=PARAMS.replace("role=web", "all"))
    cases = [("echo connecting >&2; echo 'no route to cloud' >&2; exit 4", {}, "ended with exit status 4, and said: no route to cloud"),
             ("kill -9 $$", {}, "was ended by signal 9"),
             ("echo '[WARNING]: none'", {}, "not JSON at line 1"),
             ("true", {}, "not JSON at line 1"),
             ("echo '{\"web\": 1}'", {}, "the group web: a group is a list"),
             ("printf '\\033[2J' >&2; exit 1", {}, "and said: \u241b[2J"),
             ("sleep 30", {"timeout": "1s"}, "took longer than its timeout"),
             ("head -c 70000000 /dev/zero; sleep 30", {}, "printed more than 64 MiB")]
    for script, keys, why in cases:
        w.command(script, **keys)
        before = w.runs()
        try:
            w.run(book)
            raise AssertionError("it was not refused: " + script)
        except r.Refused as e:
            assert why in e.text, e.text
        x = w.run(w.lua("return hosts('all')"))
        same(w.over(x)["state"], "failed")
        assert why in w.view(x)["steps"][0]["why"], w.view(x)["steps"][0]["why"]
        same(w.runs(), before + 2)  # a failure is not kept
    w.write("version: 1\nhosts: {a: {}}\ndynamic: {command: [/no/such/program]}\n")
    text = refused(lambda: w.run(book), "failed")
    assert "/no/such/program" in text, text
    w.command(prints("a"))
    same(w.over(w.run(book))["state"], "succeeded")


@test
def a_step_that_waits_for_the_command_can_be_stopped(w):
    w.command("sleep 60")
    x = w.run(w.lua(("return hosts('all')", "timeout=1s")))
    same(w.over(x)["state"], "timed_out")
    y = w.run(w.lua("return hosts('all')"))
    w.step(y, "s0", lambda s: s["calls"])
    w.client.ask("cancel", execution=y)
    same(w.over(y)["state"], "cancelled")
    same(w.runs(), 1)


@test
def an_engine_that_is_killed_leaves_no_command_and_its_successor_asks_again(w):
    w.command("[ -e %s ] || exec sleep 61; %s" % (w.path("go"), prints("a")))
    x = w.run(w.lua("return hosts('all')"))
    (pid,) = r.deadline(20, "the command", lambda: processes(w, b"sleep\x0061"))
    w.client.close()
    w.engine.kill()
    r.deadline(20, "the end of the command", lambda: not os.path.exists("/proc/%d" % pid) or open("/proc/%d/stat" % pid).read().split()[2] == "Z")
    touch(w.path("go"))
    w.engine.start()
    w.client = w.engine.client()
    w.client.ask("resume", execution=x)
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), ["a"])
    same(w.kinds(x).count("call.started"), 2)


@test
def an_engine_that_ends_waits_for_no_command(w):
    w.command("sleep 62")
    c = w.engine.client()
    c.send({"id": 1, "op": "hosts", "args": {"workspace": w.folder}})
    w.run(w.lua("return hosts('all')"))
    r.deadline(20, "the command", lambda: processes(w, b"sleep\x0062"))
    before = time.monotonic()
    same(w.engine.stop(), 0)
    assert time.monotonic() - before < 15
    w.engine.start()


@test
def a_file_that_changes_while_its_command_runs_has_its_own_run(w):
    w.command("until [ -e %s ]; do sleep 0.02; done; %s" % (w.path("go"), prints("old")))
    x = w.run(w.lua("return hosts('all')"))
    there(w.path("runs"))
    with open(w.path("other.sh"), "w") as f:
        f.write("#!/bin/sh\n" + prints("new"))
    os.chmod(w.path("other.sh"), 0o755)
    w.write("version: 1\ndynamic: {command: [%s]}\n" % w.path("other.sh"))
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), ["new"])


@test
def its_environment_is_that_of_commands(w):
    w.command("env > %s; %s" % (w.path("env"), prints("x")))
    same(w.over(w.run(w.lua("return hosts('x')")))["state"], "succeeded")
    with open(w.path("env")) as f:
        env = dict(l.rstrip("\n").split("=", 1) for l in f)
    same(sorted(set(env) - {"_", "OLDPWD", "SHLVL"}), ["HOME", "LC_ALL", "PATH", "PWD"])
    same(os.path.realpath(env["PWD"]), os.path.realpath(w.folder))


# ---- calls that go to a host ----

WAY = {"g": ["t"], "_meta": {"hostvars": {"t": {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "nobody"}}}}


def to_t(w, before=""):
    """A step that calls the host t, where nobody listens: what is said of it is where it was looked for."""
    return w.lua(before + "local ok, e = pcall(ssh, 't', {'true'}, {effect = 'read'}) return {why = e.why}", permissions=["ssh nobody@t -- true", "sh sh -c *"])


def where(w, x):
    same(w.over(x)["state"], "succeeded")
    return w.result(x)["why"]


@test
def a_step_that_calls_a_host_waits_for_the_command(w):
    w.command("sleep 0.3; echo '%s'" % json.dumps(WAY))
    assert "127.0.0.1" in where(w, w.run(to_t(w)))
    same(w.runs(), 1)
    assert "127.0.0.1" in where(w, w.run(to_t(w)))
    same(w.runs(), 1)
    w.command("echo broken >&2; exit 5")
    why = where(w, w.run(to_t(w)))
    assert "127.0.0.1" in why or "said: broken" in why, why
    w.restart()
    assert "exit status 5, and said: broken" in where(w, w.run(to_t(w)))


@test
def a_file_that_changes_under_way_leaves_calls_where_they_went(w):
    w.command("echo '%s'" % json.dumps(WAY), cache="1h")
    x = w.run(to_t(w, "hosts('t') sh('touch %s; until [ -e %s ]; do sleep 0.02; done') " % (w.path("asked"), w.path("go"))))
    there(w.path("asked"))
    w.command("until [ -e %s ]; do sleep 0.02; done; echo '%s'" % (w.path("answer"), json.dumps(WAY)))
    touch(w.path("go"))
    assert "127.0.0.1" in where(w, x)
    touch(w.path("answer"))
    r.deadline(20, "the new command", lambda: w.runs() == 2)


# ---- who asks for the list ----

@test
def hosts_come_in_pages(w):
    w.say("h-[0001:2500]: {groups: [a], labels: {x: y}}")
    names, at, of = [], 0, 0
    while at is not None:
        v = w.client.ask("hosts", workspace=w.folder, **{"from": at, "of": of})
        names += [h["name"] for h in v["hosts"]]
        same(v["groups"], ["a"] if at == 0 else [])
        at, of = v["next"], v["of"]
    same(names, ["h-%04d" % i for i in range(1, 2501)])
    w.say("h-[0001:2000]: {}")
    assert "changed while it was read" in refused(lambda: w.client.ask("hosts", workspace=w.folder, **{"from": 1000, "of": of}), "conflict")
    for workspace in (None, "x", "/" + "x" * 5000):
        refused(lambda: w.client.ask("hosts", workspace=workspace), "usage")
    same(w.client.ask("hosts", workspace="/proc")["hosts"], [])


def the_command_runs_as_the_commands_user():
    if not ROOT:
        print("ok - the_command_runs_as_the_commands_user # SKIP needs root")
        return 0
    if "/rung-suite-" in os.environ.get("TMPDIR", ""):
        os.chmod(os.environ["TMPDIR"], 0o755)
    w = Host("version: 1\ncommands: {as: %s}\n" % OTHER)
    try:
        w.start()
        words = json.dumps(["/bin/sh", "-c", "printf '{\"g\": [\"u%s\"]}' $(id -un)"])
        with open(os.path.join(w.folder, ".rung", "inventory.yaml"), "w") as f:
            f.write("version: 1\ndynamic: {command: %s}\n" % words)
        same([h["name"] for h in w.client.ask("hosts", workspace=w.folder)["hosts"]], ["u" + OTHER])
        # What that user can write is not used.
        os.chown(os.path.join(w.folder, ".rung", "inventory.yaml"), pwd.getpwnam(OTHER).pw_uid, 0)
        assert "can be written by others" in refused(lambda: w.client.ask("hosts", workspace=w.folder), "denied")
        print("ok - the_command_runs_as_the_commands_user")
        return 0
    except Exception as e:
        print("not ok - the_command_runs_as_the_commands_user: %s" % e)
        return 1
    finally:
        w.engine.stop()


status = run_tests(tests, world=Fleet)
sys.exit(the_command_runs_as_the_commands_user() or status)
