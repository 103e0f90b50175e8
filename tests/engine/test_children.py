#!/usr/bin/env python3
"""Executions that a step of another one runs: started once, found again, waited for without a worker, cancelled and handed over with their parent.

limit: 240"""
import json, os, pwd, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from awkward import lines, there, touch
from world import World, run_tests, same, states

tests = []
USER = pwd.getpwuid(os.getuid()).pw_name
SH = ("sh sh -c *", "sh true", "sh false", "sh echo *")


def test(f):
    tests.append(f)
    return f


class Family(World):
    """Books that name one another."""

    def prepare(self):
        os.mkdir(self.path(".rung"))
        os.mkdir(self.path("runbooks"))

    def write(self, name, *steps, params=(), permissions=SH, id=None, head=""):
        """A runbook of Lua steps, each a source or (source, attributes)."""
        out = ["# %s" % name, "", head, ""]
        if id:
            out += ["## Runbook Info", "", "| Runbook ID |", "|---|", "| %s |" % id, ""]
        if params:
            out += ["## Parameters", "", "| Name | Type | Default | Description |", "|---|---|---|---|"] + ["| %s | %s | %s | x |" % p for p in params] + [""]
        if permissions is not None:
            out += ["## Permissions", ""] + ["- `%s`" % p for p in permissions] + [""]
        out += ["## Steps", ""]
        for i, s in enumerate(steps):
            source, attributes = s if isinstance(s, tuple) else (s, "")
            out += ["%d. Step %d" % (i + 1, i), ""]
            if source is not None:
                out += ["   ```lua {id=s%d %s}" % (i, attributes)] + ["   " + l for l in source.split("\n")] + ["   ```", ""]
        path = self.path("runbooks/%s.md" % name)
        with open(path, "w") as f:
            f.write("\n".join(out))
        return path

    def parent(self, *steps, permissions=(), **more):
        return self.write("parent", *steps, permissions=tuple(SH) + tuple(permissions), **more)

    def result(self, x, id="s0"):
        return next(s for s in self.view(x)["steps"] if s["id"] == id)["result"]

    def why(self, x, id="s0"):
        return next(s for s in self.view(x)["steps"] if s["id"] == id)["why"]

    def children(self, x):
        return [k["d"]["child"] for k in self.records(x) if k["k"] == "call.started" and "child" in k["d"]]

    def child(self, x, timeout=20):
        return r.deadline(timeout, "a child", lambda: next(iter(self.children(x)), None))


def calls(w, x, kind="call.started"):
    return [k["d"] for k in w.records(x) if k["k"] == kind]


@test
def a_runbook_runs_and_gives_what_its_steps_return(w):
    w.write("echo", "return {said = sh({'echo', params.text}).stdout}", "return {n = steps.s0.said == params.text .. '\\n'}", params=[("text", "string", "hi")], id="RUN007")
    for name in ("RUN007", "runbooks/echo.md", "echo"):
        x = w.run(w.parent("local r = runbook('%s', {text = 'hello'}) return r" % name, permissions=["runbook %s" % name]))
        same(w.over(x)["state"], "succeeded")
        got = w.result(x)
        same((got["state"], got["outputs"]), ("succeeded", {"s0": {"said": "hello\n"}, "s1": {"n": True}}))
        same(got["execution"], w.children(x)[0])
        start = w.records(got["execution"])[0]
        same((start["k"], start["d"]["trigger"], start["d"]["parent"], start["d"]["parent_step"], start["d"]["parent_call"]),
             ("execution.started", "parent", x, "s0", 1))
        same([(d["module"], d["function"], d["effect"]) for d in calls(w, x)], [("runbook", "run", "idempotent")])
        view = w.view(x)
        same([(c["step"], c["execution"], c["runbook"], c["state"]) for c in view["children"]], [("s0", got["execution"], "runbook %s" % name, "succeeded")])
        same(w.view(got["execution"])["parent"], {"execution": x, "step": "s0", "attempt": 1, "call": 1})


@test
def one_that_fails_raises_and_says_which(w):
    w.write("bad", "fail('it broke')")
    x = w.run(w.parent("runbook('bad')", permissions=["runbook bad"]))
    same(w.over(x)["state"], "failed")
    assert "runbook bad (execution %s) ended as failed" % w.children(x)[0] in w.why(x), w.why(x)
    x = w.run(w.parent("local ok, e = pcall(runbook, 'bad') local r = runbook('bad', {}, {check = false}) return {ok = ok, state = e.state, again = r.state}",
                       permissions=["runbook bad"]))
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"ok": False, "state": "failed", "again": "failed"})


@test
def without_the_right_nothing_starts(w):
    w.write("echo", "return {}")
    x = w.run(w.parent("runbook('echo')"))
    same(w.over(x)["state"], "failed")
    same(states(w.view(x)), ["denied"])
    same(w.children(x), [])
    assert "runbook echo" in w.why(x), w.why(x)


@test
def the_childs_calls_need_the_rights_of_the_childs_book(w):
    w.write("narrow", "sh{'true'} sh{'false'}", permissions=["sh true"])
    x = w.run(w.parent("local r = runbook('narrow', {}, {check = false}) return {state = r.state}", permissions=["runbook narrow"]))
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"state": "failed"})
    same(states(w.view(w.children(x)[0])), ["denied"])


@test
def what_does_not_fit_is_an_error_of_the_step(w):
    w.write("typed", "return {}", params=[("n", "int 1..9", "")])
    w.write("self", "runbook('self')", permissions=["runbook self"])
    for source, name, why in (("runbook('typed', {n = 70})", "typed", "n"), ("runbook('typed')", "typed", "n"), ("runbook('typed', {n = 1, m = 2})", "typed", "m"),
                              ("runbook('gone')", "gone", "the plan holds no runbook \"gone\""), ("runbook('ty' .. 'ped', {n = 1}) runbook(params.p or 'no' .. 'ne')", "*", "the plan holds no runbook")):
        x = w.run(w.parent(source, permissions=["runbook %s" % name, "runbook typed"]))
        same(w.over(x)["state"], "failed")
        assert why in w.why(x), (source, w.why(x))


@test
def a_book_is_not_its_own_ancestor(w):
    w.write("a", "runbook('b')", permissions=["runbook b"])
    w.write("b", "runbook('a')", permissions=["runbook a"])
    x = w.run(w.path("runbooks/a.md"))
    same(w.over(x)["state"], "failed")
    b = w.children(x)[0]
    assert "a book cannot be its own ancestor: runbooks/a.md -> runbooks/b.md -> runbooks/a.md" in w.why(b), w.why(b)


@test
def runbooks_are_eight_deep_at_most(w):
    for i in range(11):
        w.write("d%d" % i, "runbook('d%d')" % (i + 1) if i < 10 else "return {}", permissions=["runbook d%d" % (i + 1)])
    x = w.run(w.path("runbooks/d0.md"))
    same(w.over(x, 60)["state"], "failed")
    depth = 0
    while "8 deep" not in w.why(x):
        x, depth = w.children(x)[0], depth + 1
    same(depth, 8)


@test
def the_plan_holds_the_bytes_of_the_child(w):
    w.write("child", "return {v = 1}")
    x = w.run(w.parent("sh('touch %s; until [ -e %s ]; do sleep 0.02; done') return runbook('child').outputs.s0" % (w.path("up"), w.path("go")), permissions=["runbook child"]))
    there(w.path("up"))
    first = w.view(x)["plan"]
    w.write("child", "return {v = 2}")
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"v": 1})
    y = w.run(w.path("runbooks/parent.md"))
    same(w.over(y)["state"], "succeeded")
    same(w.result(y), {"v": 2})
    assert w.view(y)["plan"] != first


@test
def a_parent_waits_without_a_worker(w):
    w.write("slow", "sh('touch %s; until [ -e %s ]; do sleep 0.02; done')" % (w.path("up"), w.path("go")))
    x = w.run(w.parent(("return runbook('slow').outputs", "timeout=1s"), permissions=["runbook slow"]))
    there(w.path("up"))
    time.sleep(0)
    r.deadline(10, "one worker, of the child", lambda: len(w.engine.workers()) == 1 if hasattr(w.engine, "workers") else True)
    same(w.view(x)["state"], "running")
    # Longer than the parent's step may take: its clock stands still meanwhile.
    r.deadline(10, "time to pass", lambda: time.time() - os.stat(w.path("up")).st_mtime > 1.5)
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")


@test
def a_child_that_waits_for_a_person_makes_its_parent_wait(w):
    w.write("asks", "return {a = ask('go on?')}")
    x = w.run(w.parent("return runbook('asks').outputs.s0", permissions=["runbook asks"]))
    w.waits(x, "s0", "child")
    same(w.view(x)["state"], "waiting")
    child = w.child(x)
    q = w.view(child)["questions"][0]
    w.client.ask("answer", execution=child, step="s0", call=q["call"], value="yes")
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"a": "yes"})
    same([k["d"]["state"] for k in w.records(x) if k["k"] == "child.changed"], ["waiting", "running"])


@test
def a_grandchild_that_waits_makes_all_wait(w):
    w.write("asks", "return {a = ask('go on?')}")
    w.write("middle", "return runbook('asks').outputs.s0", permissions=["runbook asks"])
    x = w.run(w.parent("return runbook('middle').outputs.s0", permissions=["runbook middle"]))
    w.waits(x, "s0", "child")
    middle = w.child(x)
    w.waits(middle, "s0", "child")
    grandchild = w.child(middle)
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "child")
    same(w.child(middle), grandchild)
    q = w.view(grandchild)["questions"][0]
    w.client.ask("answer", execution=grandchild, step="s0", call=q["call"], value="yes")
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"a": "yes"})


@test
def an_engine_that_is_killed_finds_the_child_again(w):
    w.write("slow", "sh('echo x >> %s; until [ -e %s ]; do sleep 0.02; done', {effect = 'read'}) return {done = true}" % (w.path("ran"), w.path("go")))
    x = w.run(w.parent("return runbook('slow').outputs.s0", permissions=["runbook slow"]))
    r.deadline(20, "the command", lambda: lines(w.path("ran")) == 1)
    child = w.child(x)
    w.restart()
    w.client.ask("resume", execution=x)
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"done": True})
    same(w.children(x), [child])
    same([k["k"] for k in w.records(child)].count("execution.started"), 1)
    same([k["k"] for k in w.records(x)].count("call.started"), 1)


@test
def a_child_that_ended_while_its_parent_was_not_there_is_its_outcome(w):
    w.write("asks", "return {a = ask('go on?')}")
    x = w.run(w.parent("return runbook('asks').outputs.s0", permissions=["runbook asks"]))
    w.waits(x, "s0", "child")
    child = w.child(x)
    w.restart()
    w.client.ask("resume", execution=child)
    q = w.view(child)["questions"][0]
    w.client.ask("answer", execution=child, step="s0", call=q["call"], value="later")
    same(w.over(child)["state"], "succeeded")
    w.client.ask("resume", execution=x)
    same(w.over(x)["state"], "succeeded")
    same(w.result(x), {"a": "later"})
    same(w.children(x), [child])


@test
def cancelling_the_parent_cancels_the_child(w):
    w.write("slow", "sh('touch %s; sleep 60')" % w.path("up"))
    x = w.run(w.parent("runbook('slow')", permissions=["runbook slow"]))
    there(w.path("up"))
    child = w.child(x)
    w.client.ask("cancel", execution=x)
    same(w.over(x)["state"], "cancelled")
    same(w.view(child)["state"], "cancelled")
    same([k["d"]["why"] for k in w.records(child) if k["k"] == "execution.cancelled"], ["parent"])


@test
def cancelling_a_parent_that_waits_cancels_the_child_too(w):
    w.write("asks", "return {a = ask('go on?')}")
    x = w.run(w.parent("runbook('asks')", permissions=["runbook asks"]))
    w.waits(x, "s0", "child")
    child = w.child(x)
    w.client.ask("cancel", execution=x)
    same(w.over(x)["state"], "cancelled")
    same(w.view(child)["state"], "cancelled")


@test
def cancelling_after_a_crash_cancels_the_child_too(w):
    w.write("asks", "return {a = ask('go on?')}")
    x = w.run(w.parent("runbook('asks')", permissions=["runbook asks"]))
    w.waits(x, "s0", "child")
    child = w.child(x)
    w.restart()
    w.client.ask("resume", execution=x)
    w.client.ask("cancel", execution=x)
    same(w.over(x)["state"], "cancelled")
    same(w.over(child)["state"], "cancelled")


@test
def children_run_side_by_side(w):
    w.write("meet", "sh('touch %s/in-' .. params.me .. '; until [ -e %s/in-a ] && [ -e %s/in-b ]; do sleep 0.02; done') return {me = params.me}" % ((w.folder,) * 3),
            params=[("me", "string", "")])
    x = w.run(w.parent("local both = parallel{function() return runbook('meet', {me = 'a'}) end, function() return runbook('meet', {me = 'b'}) end}\n"
                       "return {a = both[1].outputs.s0.me, b = both[2].outputs.s0.me}", permissions=["runbook meet"]))
    state = w.over(x)["state"]
    same((state, w.why(x)), ("succeeded", None))
    same(sorted(w.result(x).values()), ["a", "b"])
    same(len(w.children(x)), 2)


@test
def a_secret_goes_down_as_a_handle(w):
    with open(w.path(".rung/secrets.yaml"), "w") as f:
        f.write("version: 1\nsecrets:\n  db: {file: %s}\n" % w.path("value"))
    with open(w.path("value"), "w") as f:
        f.write("the-named-secret\n")
    os.chmod(w.path("value"), 0o600)
    w.write("uses", "local r = sh({'sh', '-c', 'printf %s \"$V\" | wc -c'}, {env = {V = params.password}}) return {n = tonumber(r.stdout)}",
            params=[("password", "secret", "")])
    x = w.run(w.parent("return {named = runbook('uses', {password = secret 'db'}).outputs.s0.n, own = runbook('uses', {password = params.mine}).outputs.s0.n}",
                       params=[("mine", "secret", "")], permissions=["runbook uses", "secret db"]), params={"mine": "my-own-password-it-is"})
    state = w.over(x)["state"]
    same((state, w.why(x)), ("succeeded", None))
    same(w.result(x), {"named": len("the-named-secret"), "own": len("my-own-password-it-is")})
    records = json.dumps([w.records(x)] + [w.records(c) for c in w.children(x)])
    assert "my-own-password" not in records and "the-named-secret" not in records


@test
def a_proof_starts_no_runbook(w):
    w.write("echo", "return {}")
    path = w.book([{"fences": [("return {}", "lua {id=s0}"), ("runbook('echo')", "lua {verify}")]}], permissions=["sh true", "runbook echo"])
    x = w.run(path)
    same(w.over(x)["state"], "failed")
    assert "starts no runbook" in w.why(x), w.why(x)


@test
def too_much_below_one_book_is_refused_at_the_start(w):
    for i in range(9):
        w.write("big%d" % i, "return {} --" + "x" * 60000, head="\x01" * 90000)
    path = w.parent("return {}", permissions=["runbook big%d" % i for i in range(9)])
    try:
        w.run(path)
    except r.Refused as e:
        assert "4 MiB" in e.text, e.text
    else:
        raise AssertionError("it was not refused")
    x = w.run(w.parent("return runbook('big1').state == 'succeeded'", permissions=["runbook big%d" % i for i in range(6)]))
    same(w.over(x)["state"], "succeeded")


@test
def a_parent_that_is_handed_over_hands_over_its_child(w):
    with open(w.path(".rung/policy.yaml"), "w") as f:
        f.write("version: 1\nrules:\n  - {id: all, allow: [run, read], who: ['user:%s', 'user:daemon'], books: ['**'], grants: ['sh sh -c *', 'sh echo *', 'sh true', 'sh false', 'runbook **']}\n" % USER)
    w.write("asks", "return {a = ask('go on?')}")
    w.write("middle", "return runbook('asks').outputs.s0", permissions=["runbook asks"])
    x = w.run(w.parent("return runbook('middle').outputs.s0", permissions=["runbook middle"]), declared=False)
    w.waits(x, "s0", "child")
    middle = w.child(x)
    grandchild = w.child(middle)
    w.client.ask("handover", execution=x, to="user:daemon", reason="I go home")
    for e in (x, middle, grandchild):
        same(w.view(e)["driver"], "user:daemon")
    same([k["d"]["why"] for k in w.records(grandchild) if k["k"] == "driver.changed"], ["parent"])


@test
def a_right_that_the_parent_took_for_a_time_is_its_childs_too(w):
    with open(w.path(".rung/policy.yaml"), "w") as f:
        f.write("version: 1\nelevations: {glass: {who: ['user:%s'], for: 1h}}\nrules:\n"
                "  - {id: some, allow: [run, read], who: ['user:%s'], books: ['**'], grants: ['sh true', 'runbook **']}\n"
                "  - {id: more, allow: [run], who: ['user:%s'], books: ['**'], grants: ['sh echo *'], when: {grant: glass}}\n" % (USER, USER, USER))
    w.write("echo", "return {said = sh({'echo', 'hi'}).stdout}", permissions=["sh echo *"])
    path = w.write("parent", "return runbook('echo', {}, {check = false})", permissions=["sh true", "runbook echo"])
    x = w.run(path, declared=False)
    w.over(x)
    same(w.result(x)["state"], "failed")
    x = w.run(path, declared=False, elevate="glass", reason="it burns")
    same((w.over(x)["state"], w.why(x)), ("succeeded", None))
    same(w.result(x)["outputs"], {"s0": {"said": "hi\n"}})


if __name__ == "__main__":
    sys.exit(run_tests(tests, world=Family))
