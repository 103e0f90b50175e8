#!/usr/bin/env python3
"""What somebody tries who wants more than the policy gives: approvals used for something else than was shown, records and rights that outlive their reason, names that
are not theirs, files in the place of the policy. Each person is a real user of the operating system. Needs root, to be others.

limit: 240"""
import json, os, sqlite3, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rungclient as r
from awkward import lines
from test_rights import FREEZE, POLICY, Workspace, approve, denied, destroying
from world import run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


def refused(f, kind, *words):
    try:
        f()
    except r.Refused as e:
        assert e.kind in kind.split(), e
        for w in words:
            assert w in e.text, "%r is not in %r" % (w, e.text)
        return e.text
    raise AssertionError("it was taken")


def show(client, x, **more):
    return client.ask("approval.show", execution=x, **more)


def give(client, x, shown, reason="agreed", **more):
    args = {"execution": x, "step": shown["step"], "binding": shown["binding"], "reason": reason}
    if shown["targets"] is not None:
        args["targets"] = len(shown["targets"])
    return client.ask("approve", **dict(args, **more))


def manual(w, attributes, title="Pull the plug"):
    return w.book([{"title": title, "comment": "id=plug %s" % attributes}])


# --- steps by hand ------------------------------------------------------------------------------------------------------------------------


@test
def a_step_by_hand_is_not_done_while_nobody_can_be_asked(w):
    x = w.run_as(w.client, manual(w, "approve=1 from=nobody risk=destructive"), mode="guided")
    text = refused(lambda: w.client.ask("settle", execution=x, step="plug", outcome="succeeded"), "denied", "nobody")
    same(states(w.view(x)), ["waiting"])
    w.client.ask("settle", execution=x, step="plug", outcome="skipped")


@test
def a_step_by_hand_that_the_policy_denies_is_not_done(w):
    x = w.run_as(w.client, manual(w, "risk=destructive"), mode="guided")
    w.waits(x, "plug", "person")
    w.rules(FREEZE)
    refused(lambda: w.client.ask("settle", execution=x, step="plug", outcome="succeeded"), "denied", "freeze")
    w.policy(POLICY)
    w.client.ask("settle", execution=x, step="plug", outcome="succeeded")
    same(w.over(x)["state"], "succeeded")


@test
def agreement_to_a_step_by_hand_expires(w):
    w.rules("{id: one, require: {approvals: 1, from: group:dba, within: 1s}, when: {risk: destructive}}")
    x = w.run_as(w.client, manual(w, "risk=destructive"), mode="guided")
    w.waits(x, "plug", "approval")
    approve(w.user("bin"), x)
    w.waits(x, "plug", "person")
    time.sleep(1.2)  # what is waited for is the passing of this time
    refused(lambda: w.client.ask("settle", execution=x, step="plug", outcome="succeeded"), "conflict", "agree")
    w.waits(x, "plug", "approval")
    approve(w.user("bin"), x)
    w.client.ask("settle", execution=x, step="plug", outcome="succeeded")
    same(w.over(x)["state"], "succeeded")


@test
def targets_of_a_step_by_hand_are_looked_at_again(w):
    book = w.book([{"fences": [("local n = ask{prompt='n', type='int'}; local t = {}; for i = 1, n do t[i] = 'db' .. i end; return {hosts = t}", "lua {id=find}")]},
                   {"title": "Pull", "comment": "id=plug needs=find risk=destructive approve=1 from=dba targets=\"steps.find.hosts\""}])
    x = w.run_as(w.client, book, mode="guided")
    w.client.ask("go", execution=x, step="find")
    q = r.deadline(20, "a question", lambda: w.view(x)["questions"])[0]
    w.client.ask("answer", execution=x, step="find", call=q["call"], value=2)
    w.waits(x, "plug", "approval")
    same(show(w.user("bin"), x)["targets"], ["db1", "db2"])
    approve(w.user("bin"), x)
    r.deadline(20, "evaluated again", lambda: w.kinds(x).count("condition.evaluated") == 2)
    w.waits(x, "plug", "person")
    w.client.ask("settle", execution=x, step="plug", outcome="succeeded")
    same(w.over(x)["state"], "succeeded")


@test
def a_step_is_not_called_done_before_others_agreed(w):
    """Not yet started, it is nobody's word that makes it done."""
    x = w.run_as(w.client, destroying(w, w.path("mark"), "approve=1 from=dba"), mode="guided")
    refused(lambda: w.client.ask("settle", execution=x, step="drop", outcome="succeeded"), "conflict denied")
    same(w.view(x)["state"], "waiting")
    w.client.ask("cancel", execution=x)


@test
def a_shell_fence_waits_for_those_who_must_agree(w):
    book = w.book([{"title": "Drop", "fences": [("touch %s" % w.path("mark"), "sh {id=plug risk=destructive approve=1 from=dba}")]}])
    x = w.run_as(w.client, book, mode="guided")
    w.waits(x, "plug", "approval")
    start = lambda: w.client.ask("shell.start", execution=x, step="plug", fence=0, command="true", cwd="/")
    refused(start, "conflict", "agree")
    approve(w.user("bin"), x)
    call = start()
    w.client.ask("shell.finish", execution=x, step="plug", call=call["call"], code=0)
    w.client.ask("settle", execution=x, step="plug", outcome="succeeded")
    same(w.over(x)["state"], "succeeded")


@test
def a_shell_fence_is_not_run_where_the_policy_denies_its_step(w):
    book = w.book([{"title": "Drop", "fences": [("true", "sh {id=plug risk=destructive}")]}])
    w.rules(FREEZE)
    x = w.run_as(w.client, book, mode="guided")
    refused(lambda: w.client.ask("shell.start", execution=x, step="plug", fence=0, command="true", cwd="/"), "denied", "freeze")
    w.client.ask("cancel", execution=x)


# --- targets ----------------------------------------------------------------------------------------------------------------------------------


@test
def nobody_agrees_to_targets_that_are_not_known(w):
    mark = w.path("mark")
    for expression in ("error('no')", "nil", "7", "{1, 2}", "{a = 'b'}", "(function() local t = {} for i = 1, 10001 do t[i] = 'h' .. i end return t end)()",
                       "(function() local t = {} t[1] = t return t end)()", "sh{'true'}", "(function() while true do end end)()"):
        book = w.book([{"fences": [('sh{"touch", "%s"}' % mark, "lua {id=drop risk=destructive irreversible=x timeout=2s approve=1 from=dba targets=\"%s\"}" % expression)]}])
        x = w.run_as(w.client, book)
        v = w.over(x, 40)
        same((expression, v["state"], states(v)), (expression, "failed", ["denied"]))
        assert "targets" in v["steps"][0]["why"], v["steps"][0]["why"]
        assert "approval.asked" not in w.kinds(x), expression
    assert not os.path.exists(mark)


# --- what was shown ---------------------------------------------------------------------------------------------------------------------------


@test
def an_agreement_is_to_one_execution_only(w):
    """The same book, parameters and targets: what was shown of one is no answer for the other."""
    book = destroying(w, w.path("mark"), "approve=1 from=dba")
    xs = [w.run_as(w.client, book), w.run_as(w.user("daemon"), book)]
    for x in xs:
        w.waits(x, "drop", "approval")
    b = w.user("bin")
    one = show(b, xs[0])
    refused(lambda: give(b, xs[1], one), "conflict", "changed")
    for x in xs:
        w.client.ask("cancel", execution=x) if x == xs[0] else w.user("daemon").ask("cancel", execution=x)


@test
def what_was_shown_before_a_handover_is_no_answer_after_it(w):
    x = w.run_as(w.client, destroying(w, w.path("mark"), "approve=1 from=dba"), allow=["sh true"])
    w.waits(x, "drop", "approval")
    b = w.user("bin")
    before = show(b, x)
    w.client.ask("handover", execution=x, to="user:daemon")
    refused(lambda: give(b, x, before), "conflict", "changed")
    same(show(b, x)["drivers"], ["user:root", "user:daemon"])
    denied(lambda: approve(w.client, x))
    approve(b, x)
    same(w.over(x)["state"], "succeeded")


@test
def what_was_agreed_to_before_a_handover_is_asked_again(w):
    x = w.run_as(w.client, destroying(w, w.path("mark"), "approve=2 from=dba"))
    w.waits(x, "drop", "approval")
    approve(w.user("bin"), x)
    w.client.ask("handover", execution=x, to="user:daemon")
    same(show(w.user("sys"), x)["given"], [])
    same(approve(w.user("sys"), x)["missing"], 1)
    same(approve(w.user("bin"), x)["missing"], 0)
    same(w.over(x)["state"], "succeeded")


@test
def what_was_shown_of_one_try_is_no_answer_for_the_next(w):
    book = w.book([{"fences": [("local a = ask('go on?'); error('no')", "lua {id=drop risk=destructive targets=\"{'db1'}\" irreversible=x approve=1 from=dba}")]}])
    x = w.run_as(w.client, book, mode="guided")
    w.client.ask("go", execution=x, step="drop")
    w.waits(x, "drop", "approval")
    b = w.user("bin")
    first = show(b, x)
    give(b, x, first)
    q = r.deadline(20, "a question", lambda: w.view(x)["questions"])[0]
    w.client.ask("answer", execution=x, step="drop", call=q["call"], value="y")
    w.waits(x, "drop", "decision")
    w.client.ask("again", execution=x, step="drop")
    w.waits(x, "drop", "approval")
    refused(lambda: give(b, x, first), "conflict", "changed")
    w.client.ask("cancel", execution=x)


@test
def a_further_attempt_by_the_book_is_what_was_agreed_to(w):
    mark = w.path("mark")
    book = w.book([{"fences": [('sh{"touch", "%s"}; if run.attempt == 1 then error("no") end' % mark,
                                "lua {id=drop retry=1 risk=destructive targets=\"{'db1'}\" irreversible=x approve=1 from=dba}")]}])
    x = w.run_as(w.client, book)
    w.waits(x, "drop", "approval")
    approve(w.user("bin"), x)
    same(w.over(x)["state"], "succeeded")
    same(w.kinds(x).count("approval.asked"), 1)


@test
def a_policy_that_asks_for_more_is_heard_while_the_step_waits(w):
    mark = w.path("mark")
    rule = "{id: one, require: {approvals: %d, from: group:dba}, when: {risk: destructive}}"
    w.rules(rule % 1)
    x = w.run_as(w.client, destroying(w, mark))
    w.waits(x, "drop", "approval")
    w.rules(rule % 2)
    same(show(w.user("bin"), x)["needed"], 2)
    same(approve(w.user("bin"), x)["missing"], 1)
    assert not os.path.exists(mark)
    w.policy(POLICY)
    # Nobody must agree any more: it goes on by itself.
    same(w.over(x)["state"], "succeeded")


@test
def a_rule_of_another_name_is_another_rule(w):
    rule = "{id: %s, require: {approvals: 1, from: group:dba}, when: {risk: destructive}}"
    w.rules(rule % "one")
    book = w.book([{"fences": [("return {}", "lua {id=drop risk=destructive targets=\"{'db1'}\" irreversible=x}")]}])
    x = w.run_as(w.client, book)
    w.waits(x, "drop", "approval")
    w.client.ask("pause", execution=x)
    approve(w.user("bin"), x)
    w.rules(rule % "two")
    w.client.ask("resume", execution=x)
    w.waits(x, "drop", "approval")
    same(show(w.user("bin"), x)["rules"], ["two"])
    approve(w.user("bin"), x)
    same(w.over(x)["state"], "succeeded")


@test
def a_condition_may_look_before_others_agree(w):
    mark = w.path("mark")
    w.rules("{id: one, require: {approvals: 1, from: group:dba}, when: {risk: destructive}}")
    path = w.book([{"fences": [('sh{"touch", "%s"}' % mark, "lua {id=drop risk=destructive irreversible=x targets=\"{'db1'}\"}"), ('return sh{"true"}.code == 0', "lua {if}")]}],
                  permissions=("sh touch *",))
    with open(path) as f:
        text = f.read()
    with open(path, "w") as f:
        f.write(text.replace("- `sh touch *`", "- `sh touch *`\n- read: `sh true`"))
    x = w.run_as(w.client, path)
    w.waits(x, "drop", "approval")
    approve(w.user("bin"), x)
    same(w.over(x)["state"], "succeeded")


@test
def who_agreed_in_the_middle_and_then_drives_does_not_count(w):
    w.rules("{id: dba-run, allow: [run], who: [group:dba], books: [\"**\"], grants: [\"sh touch *\"]}")
    x = w.run_as(w.client, w.lua("return approve{prompt = 'Drop it?', from = 'dba', needed = 2}"))
    w.waits(x, "s0", "approval")
    approve(w.user("bin"), x)
    w.user("bin").ask("resume", execution=x)
    same(w.view(x)["driver"], "user:bin")
    same(approve(w.user("sys"), x)["missing"], 1)
    denied(lambda: approve(w.user("bin"), x), "drove")
    same(approve(w.user("games"), x)["missing"], 0)
    v = w.over(x)
    same((v["state"], sorted(v["steps"][0]["result"]["by"])), ("succeeded", ["user:games", "user:sys"]))


@test
def two_questions_of_one_step_are_answered_each(w):
    x = w.run_as(w.client, w.lua("parallel{function() approve{prompt = 'one', from = 'dba', needed = 2} end, function() approve{prompt = 'two', from = 'dba', needed = 2} end}"))
    r.deadline(20, "both", lambda: len(w.view(x)["approvals"]) == 2)
    for _ in range(2):
        approve(w.user("bin"), x, "s0")
        approve(w.user("sys"), x, "s0")
    same(w.over(x)["state"], "succeeded")


@test
def an_answer_that_was_given_is_there_after_kill(w):
    mark = w.path("mark")
    x = w.run_as(w.client, destroying(w, mark, "approve=1 from=dba"))
    w.waits(x, "drop", "approval")
    approve(w.user("bin"), x)
    w.restart()
    v = w.view(x)
    if v["interrupted"]:
        w.client.ask("resume", execution=x)
    w.step(x, "drop", lambda s: s["state"] in ("succeeded", "unknown"))
    same(w.kinds(x).count("approval.given"), 1)
    if w.view(x)["state"] != "succeeded":
        w.client.ask("cancel", execution=x)


@test
def an_engine_killed_while_it_looks_at_targets_asks_once(w):
    x = w.run_as(w.client, w.book([{"fences": [("return 1", "lua {id=drop risk=destructive irreversible=x approve=1 from=dba targets=\"(function() local n = 0 for i = 1, 3e7 do n = n + i end return {'a'} end)()\"}")]}]))
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "drop", "approval")
    same(w.kinds(x).count("approval.asked"), 1)
    approve(w.user("bin"), x)
    same(w.over(x)["state"], "succeeded")


@test
def an_agreement_expires_while_the_engine_is_down(w):
    mark = w.path("mark")
    w.rules("{id: two, require: {approvals: 1, from: group:dba, within: 1s}, when: {risk: destructive}}")
    x = w.run_as(w.client, destroying(w, mark))
    w.waits(x, "drop", "approval")
    w.client.ask("pause", execution=x)
    approve(w.user("bin"), x)
    w.client.close()
    w.engine.kill()
    time.sleep(1.2)  # what is waited for is the passing of this time
    w.engine.start()
    w.client = w.engine.client()
    w.client.ask("resume", execution=x)
    w.waits(x, "drop", "approval")
    same(w.view(x)["approvals"][0]["given"], [])
    assert not os.path.exists(mark)
    w.client.ask("cancel", execution=x)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("ok - # skipped: being other users needs root")
        sys.exit(0)
    sys.exit(run_tests(tests, world=Workspace))
