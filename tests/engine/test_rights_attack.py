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
def who_cannot_be_asked_is_said_before_anything_runs(w):
    mark = w.path("mark")
    for attributes, word in (("approve=3 from=dba", "3"), ("approve=1 from=nobody", "nobody"), ("approve=99 from=dba", "64"), ("approve=2 from=user:bin", "2")):
        if word == "3":
            w.policy(POLICY.replace("[bin, sys, games]", "[bin, sys, root]"))
        book = w.book([{"fences": [('sh{"touch", "%s"}' % mark, "lua {id=first}")]},
                       {"fences": [("return 1", "lua {id=drop risk=destructive irreversible=x targets=\"{'a'}\" %s}" % attributes)]}])
        denied(lambda: w.run(book), "drop", word, "Nothing was run")
    assert not os.path.exists(mark)


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
    w.step(x, "drop", lambda s: s["state"] == "succeeded")
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


# --- names and sizes --------------------------------------------------------------------------------------------------------------------------


@test
def an_execution_is_handed_to_names_only(w):
    w.rules("{id: all, allow: [run], who: [\"user:*\"], books: [\"**\"]}")
    x = w.run_as(w.client, manual(w, ""), mode="guided")
    for name in ("a" * 70000, "a" * 300, "an a", "a\nb", "\u202eana", "a:b", "", "-a"):
        refused(lambda: w.client.ask("handover", execution=x, to="user:" + name), "usage denied")
    same(w.view(x)["driver"], "user:root")
    w.client.ask("handover", execution=x, to="user:daemon")
    w.user("daemon").ask("cancel", execution=x)


@test
def rules_with_long_names_fit_into_a_record(w):
    who = ", ".join("user:%s%d" % ("n" * 180, i) for i in range(40))
    w.rules(*["{id: %s%d, require: {approvals: 1, from: [%s, group:dba]}, when: {risk: destructive}}" % ("i" * 1000, i, who) for i in range(60)])
    book = w.book([{"fences": [("return 1", "lua {id=drop risk=destructive irreversible=x}")]}])
    try:
        x = w.run_as(w.client, book)
    except r.Refused:
        x = None
    same(w.client.ask("hello")["principal"], "user:root")
    if x:
        w.step(x, "drop", lambda s: s["state"] in ("denied", "waiting"))
        w.client.ask("hello")
        v = w.view(x)
        if v["state"] == "waiting":
            w.client.ask("cancel", execution=x)


@test
def nobody_names_another(w):
    book = manual(w, "approve=1 from=dba risk=destructive")
    false_names = {"by": "user:root", "driver": "user:root", "principal": "user:root", "who": "user:root", "user": "root"}
    x = w.user("daemon").ask("run", book=book, mode="guided", **false_names)["execution"]
    same(w.view(x)["driver"], "user:daemon")
    w.waits(x, "plug", "approval")
    b = w.user("bin")
    shown = show(b, x)
    give(b, x, shown, **dict(false_names, by="user:sys"))
    same([k["by"] for k in w.records(x) if k["k"] == "approval.given"], ["user:bin"])
    w.user("daemon").ask("cancel", execution=x)


@test
def a_connection_is_of_whom_the_policy_says_now(w):
    d = w.user("daemon")
    x = w.run_as(d, manual(w, ""), mode="guided")
    same(d.ask("hello")["principal"], "user:daemon")
    w.policy(POLICY.replace("max_running: 2}}", "max_running: 2}, other: {user: daemon}}"))
    same(d.ask("hello")["principal"], "service:other")
    denied(lambda: d.ask("settle", execution=x, step="plug", outcome="succeeded"))
    w.policy(POLICY)
    d.ask("settle", execution=x, step="plug", outcome="succeeded")


# --- books ------------------------------------------------------------------------------------------------------------------------------------


@test
def a_book_is_approved_under_its_own_path_only(w):
    os.makedirs(os.path.join(w.root, "drafts"))
    mark = w.path("mark")
    book = w.lua(('sh{"touch", "%s"}' % mark, "risk=change"), permissions=("sh touch *",))
    name = os.path.basename(book)
    w.policy(POLICY.replace("read, cancel, approve-book], who: [group:leads, group:dba, user:root]", "read, cancel], who: [group:leads, user:root]")
             + "  - {id: drafts, allow: [approve-book], who: [group:leads], books: [\"drafts/**\"]}\n")
    m = w.user("man")
    denied(lambda: m.ask("book.approve", books=[book], reason="x"))
    for path in ("drafts/../runbooks/" + name, "drafts/./../runbooks//" + name):
        denied(lambda: m.ask("book.approve", books=[os.path.join(w.root, path)], reason="x"))
    os.symlink(book, os.path.join(w.root, "drafts", "link.md"))
    denied(lambda: m.ask("book.approve", books=[os.path.join(w.root, "drafts/link.md")], reason="x"))
    # The same bytes at a place that is theirs to approve are approved there.
    os.link(book, os.path.join(w.root, "drafts", "hard.md"))
    m.ask("book.approve", books=[os.path.join(w.root, "drafts/hard.md")], reason="x")
    denied(lambda: w.run_as(w.user("mail"), book), "approve")
    same(w.over(w.run_as(w.user("mail"), os.path.join(w.root, "drafts/hard.md")))["state"], "succeeded")
    w.restart()
    denied(lambda: w.run_as(w.user("mail"), book), "approve")


@test
def a_book_s_every_author_is_one(w):
    head = "| Runbook ID | Runbook Author |\n|---|---|\n| R1 | Ana Lima, Gina Games |"
    book = w.lua(("return 1", "risk=change"), head=head)
    denied(lambda: w.user("games").ask("book.approve", books=[book], reason="x"), "wrote")


@test
def a_hash_in_a_file_s_name_is_not_an_anchor(w):
    w.policy(POLICY.replace('books: ["**"], grants', 'books: ["runbooks/good.md"], grants'))
    path = os.path.join(w.books_in(), "good.md#evil.md")
    with open(path, "w") as f:
        f.write("# Evil\n\n## Steps\n\n1. Do\n\n   ```lua\n   return 1\n   ```\n")
    refused(lambda: w.run(path), "denied invalid io not_found usage failed")
    refused(lambda: w.run(path + "#evil"), "denied invalid io not_found usage failed")


@test
def a_workspace_within_brings_no_policy(w):
    inner = os.path.join(w.root, "inner")
    os.makedirs(os.path.join(inner, ".rung"))
    with open(os.path.join(inner, ".rung", "policy.yaml"), "w") as f:
        f.write('version: 1\nrules:\n  - {id: all, allow: [run], who: ["*"], books: ["**"], grants: ["sh **"]}\n')
    path = os.path.join(inner, "a.md")
    with open(path, "w") as f:
        f.write("# A\n\n## Permissions\n\n- `sh cat **`\n\n## Steps\n\n1. Do\n\n   ```lua {id=do}\n   sh{'cat', '/etc/hostname'}\n   ```\n")
    denied(lambda: w.run(path), "sh cat **")
    denied(lambda: w.run_as(w.user("lp"), path))


# --- services ---------------------------------------------------------------------------------------------------------------------------------


@test
def a_service_takes_over_nothing(w):
    x = w.run_as(w.client, w.lua("ask('go on?')", permissions=None), mode="guided")
    denied(lambda: w.user("mail").ask("resume", execution=x), "service:robot")
    same(w.view(x)["driver"], "user:root")
    w.restart()
    denied(lambda: w.user("mail").ask("resume", execution=x), "service:robot")
    w.client.ask("resume", execution=x)
    w.client.ask("cancel", execution=x)


@test
def a_service_s_bounds_hold_across_engines(w):
    book = w.book([{"title": "By hand", "comment": "id=plug risk=read"}])
    robot = lambda: w.user("mail")
    old = [w.run_as(robot(), book, mode="guided") for _ in range(2)]
    denied(lambda: w.run_as(robot(), book, mode="guided"), "2 at a time")
    w.restart()
    new = [w.run_as(robot(), book, mode="guided") for _ in range(2)]
    denied(lambda: robot().ask("resume", execution=old[0]), "2 at a time")
    robot().ask("cancel", execution=new[0])
    w.step(new[0], "plug", lambda s: w.view(new[0])["state"] == "cancelled")
    r.deadline(10, "resumed", lambda: attempt_of(lambda: robot().ask("resume", execution=old[0])))
    w.policy(POLICY.replace("max_running: 2", "rate: 5/h"))
    w.run_as(robot(), book, mode="guided")
    denied(lambda: w.run_as(robot(), book, mode="guided"), "the most that the policy gives")
    w.restart()
    denied(lambda: w.run_as(robot(), book, mode="guided"), "the most that the policy gives")


def attempt_of(f):
    try:
        f()
        return True
    except r.Refused:
        return False


@test
def a_service_reviews_nothing(w):
    w.policy(POLICY.replace("who: [group:leads, group:dba, user:root]", "who: [group:leads, service:robot]") + "  - %s\n" % FREEZE)
    x = w.run(w.lua(('sh{"true"}', "risk=change"), permissions=("sh true",)), elevate="break-glass", reason="down")
    same(w.over(x)["state"], "succeeded")
    denied(lambda: w.user("mail").ask("review", execution=x, reason="fine"), "person")
    w.user("man").ask("review", execution=x, reason="fine")


# --- readers and drivers ----------------------------------------------------------------------------------------------------------------------


@test
def a_look_at_the_rights_tells_strangers_nothing_of_the_book(w):
    secret = w.lua(("return 1", "id=hidden-name risk=change"), permissions=("sh hidden-command *",))
    for op, more in (("rights", {}), ("run", {"mode": "auto"}), ("run", {"mode": "auto", "params": {"no-such": "1"}})):
        try:
            said = json.dumps(w.user("lp").ask(op, book=secret, **more))
        except r.Refused as e:
            said = str(e)
        assert "hidden" not in said and "no-such" not in said, said
    outside = os.path.join(w.folder, "private.md")
    with open(outside, "w") as f:
        f.write("just words that are hidden")
    os.chmod(outside, 0o600)
    try:
        said = json.dumps(w.user("lp").ask("rights", book=outside))
    except r.Refused as e:
        said = str(e)
    assert "policy" in said and "steps" not in said, said


@test
def a_deny_of_one_book_on_a_page_holds_when_it_is_over(w):
    path = os.path.join(w.books_in(), "page.md")
    with open(path, "w") as f:
        f.write("# One\n\n## Steps\n\n1. A\n\n   ```lua\n   return 1\n   ```\n\n# Two\n\n## Steps\n\n1. B\n\n   ```lua\n   return 1\n   ```\n")
    w.rules("{id: no, deny: [read], who: [group:leads], books: [\"runbooks/page.md#two\"]}")
    x = w.client.ask("run", book=path + "#two", mode="auto")["execution"]
    same(w.over(x)["state"], "succeeded")
    for op in ("attach", "records", "report"):
        denied(lambda: w.user("man").ask(op, execution=x))
    same(w.user("man").ask("log")["executions"], [])
    same(len(w.user("sys").ask("log")["executions"]), 1)


@test
def a_page_of_the_list_leads_on_though_nothing_of_it_may_be_read(w):
    book, other = w.lua("return 1"), w.lua("return 2")
    w.rules("{id: no, deny: [read], who: [group:leads], books: [\"runbooks/%s\"]}" % os.path.basename(other))
    mine = w.run(book)
    w.over(mine)
    for _ in range(4):
        w.over(w.run(other))
    m, before, seen = w.user("man"), None, []
    for _ in range(5):
        page = m.ask("log", limit=2, **({"before": before} if before else {}))
        seen += [e["execution"] for e in page["executions"]]
        before = page.get("next")
        if not before:
            break
    same(seen, [mine])


@test
def who_has_handed_over_does_not_cancel(w):
    x = w.run_as(w.user("daemon"), manual(w, ""), mode="guided")
    w.user("daemon").ask("handover", execution=x, to="user:root")
    same(w.user("daemon").ask("attach", execution=x)["driver"], "user:root")
    denied(lambda: w.user("daemon").ask("cancel", execution=x))
    w.client.ask("cancel", execution=x)


@test
def events_end_with_the_right_to_read(w):
    x = w.run_as(w.client, w.lua("log.info('before'); ask('go on?'); log.info('after'); ask('again?')"))
    q = r.deadline(20, "a question", lambda: w.view(x)["questions"])[0]
    m = w.user("man")
    m.ask("attach", execution=x)
    w.policy(POLICY.replace("who: [group:leads, group:dba, user:root]", "who: [group:dba]"))
    w.client.ask("answer", execution=x, step="s0", call=q["call"], value="yes")
    r.deadline(20, "the next question", lambda: w.view(x)["questions"] and w.view(x)["questions"][0]["call"] != q["call"])
    denied(lambda: m.ask("attach", execution=x))
    assert not any(e[0].get("ev") in ("view", "logged", "output", "note") for e in m.events), m.events
    assert any(e[0].get("ev") == "detached" for e in m.events), m.events
    w.client.ask("cancel", execution=x)


@test
def a_command_on_a_terminal_is_told_of_after_a_handover(w):
    book = w.book([{"title": "Look", "fences": [("true", "sh {id=look risk=read}")]}])
    d = w.user("daemon")
    x = w.run_as(d, book, mode="guided")
    call = d.ask("shell.start", execution=x, step="look", fence=0, command="true", cwd="/")
    d.ask("handover", execution=x, to="user:root")
    denied(lambda: d.ask("shell.start", execution=x, step="look", fence=0, command="true", cwd="/"), "drives")
    d.ask("shell.output", execution=x, step="look", call=call["call"], stream="stdout", payload=b"hello\n")
    d.ask("shell.finish", execution=x, step="look", call=call["call"], code=0)
    same([k["d"]["outcome"] for k in w.records(x) if k["k"] == "call.finished"], ["ok"])
    w.client.ask("cancel", execution=x)


@test
def who_lost_the_right_to_run_does_not_resume_what_they_drove(w):
    x = w.run_as(w.user("daemon"), manual(w, ""), mode="guided")
    w.restart()
    w.policy(POLICY.replace("ops: [root, daemon]", "ops: [root]"))
    denied(lambda: w.user("daemon").ask("resume", execution=x))
    w.client.ask("resume", execution=x)
    w.client.ask("cancel", execution=x)


@test
def a_pause_is_its_driver_s(w):
    """Taken up for its driver by another, it stays where the driver put it."""
    x = w.run_as(w.user("daemon"), manual(w, ""), mode="guided")
    w.user("daemon").ask("pause", execution=x)
    w.client.ask("resume", execution=x, keep_driver=True)
    same((w.view(x)["driver"], w.view(x)["paused"]), ("user:daemon", True))
    w.restart()
    w.client.ask("resume", execution=x, keep_driver=True)
    same((w.view(x)["driver"], w.view(x)["paused"]), ("user:daemon", True))
    w.user("daemon").ask("resume", execution=x)
    same(w.view(x)["paused"], False)
    w.user("daemon").ask("cancel", execution=x)


@test
def a_review_of_what_was_left_open_takes_nothing_up(w):
    w.rules(FREEZE)
    x = w.run_as(w.client, w.book([{"title": "Talk", "comment": "id=talk risk=change"}]), mode="guided", elevate="break-glass", reason="down")
    w.restart()
    refused(lambda: w.user("man").ask("review", execution=x, reason="fine"), "conflict", "resume")
    w.client.ask("resume", execution=x)
    w.user("man").ask("review", execution=x, reason="fine")
    w.client.ask("settle", execution=x, step="talk", outcome="succeeded")
    same(w.over(x)["state"], "succeeded")


@test
def an_elevation_ends_in_the_middle_and_is_its_taker_s(w):
    w.policy(POLICY.replace("for: 1h", "for: 2s") + "  - %s\n" % FREEZE)
    x = w.run(w.lua(("sh{'true'}; ask('go on?'); sh{'true'}", "risk=change"), permissions=("sh true",)), elevate="break-glass", reason="down")
    q = r.deadline(20, "a question", lambda: w.view(x)["questions"])[0]
    time.sleep(2.1)  # what is waited for is the passing of this time
    w.client.ask("answer", execution=x, step="s0", call=q["call"], value="y")
    same(states(w.over(x)), ["denied"])
    w.policy(POLICY + "  - %s\n" % FREEZE)
    x = w.run_as(w.client, w.lua(("sh{'true'}", "risk=change"), permissions=("sh true",)), mode="guided", elevate="break-glass", reason="down")
    w.client.ask("handover", execution=x, to="user:daemon")
    w.restart()
    w.user("daemon").ask("resume", execution=x)
    w.user("daemon").ask("go", execution=x, step="s0")
    w.step(x, "s0", lambda s: s["state"] == "denied")
    w.user("daemon").ask("cancel", execution=x)


@test
def what_one_allowed_is_not_the_next_one_s(w):
    """Under a policy --allow gives nothing, whoever gave it, and nothing of it comes back with the record."""
    book = w.lua("sh{'cat', '/etc/hostname'}", permissions=("sh cat **",))
    x = w.run_as(w.client, book, mode="guided", allow=["sh cat **"], declared=True)
    for restart in (False, True):
        if restart:
            w.restart()
            w.client.ask("resume", execution=x)
            w.client.ask("again", execution=x, step="s0")
        else:
            w.client.ask("go", execution=x, step="s0")
        w.step(x, "s0", lambda s: s["state"] == "denied")
    w.client.ask("cancel", execution=x)


# --- the record -------------------------------------------------------------------------------------------------------------------------------


def log_records(w):
    """All records, as the store has them."""
    db = sqlite3.connect("file:%s?mode=ro" % os.path.join(w.engine.state, "store.db"), uri=True)
    try:
        return [json.loads(line) for (line,) in db.execute("select line from record order by seq")]
    finally:
        db.close()


def look(w):
    return [k for k in log_records(w) if k["k"] == "start.denied"]


@test
def a_start_that_is_denied_is_on_record(w):
    w.rules(FREEZE)
    book = w.lua(('sh{"true"}', "risk=change"))
    denied(lambda: w.run(book), "freeze")
    denied(lambda: w.run_as(w.user("lp"), book))
    found = r.deadline(10, "both records", lambda: len(look(w)) == 2 and look(w))
    same([(k["by"], k["d"]["book"], k["d"].get("rule"), len(k["d"]["policy"])) for k in found],
         [("user:root", "runbooks/" + os.path.basename(book), "freeze", 64), ("user:lp", "runbooks/" + os.path.basename(book), None, 64)])


@test
def a_step_that_is_denied_names_the_rule(w):
    w.rules(FREEZE)
    x = w.run(w.lua(("return 1", "risk=change")), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    w.step(x, "s0", lambda s: s["state"] == "denied")
    d = [k["d"] for k in w.records(x) if k["k"] == "right.decided"]
    same([(k["allowed"], k["by"], k["rule"], k["line"], len(k["policy"])) for k in d], [(False, "policy", "freeze", 9, 64)])
    w.client.ask("cancel", execution=x)


# --- the policy's file ------------------------------------------------------------------------------------------------------------------------


@test
def nothing_in_the_place_of_the_policy_allows_anything(w):
    path = os.path.join(w.root, ".rung/policy.yaml")
    book = w.lua('sh{"true"}')
    ended = w.run(book)
    w.over(ended)

    def fifo():
        os.mkfifo(path)

    def large():
        w.policy(POLICY + "#" * (1 << 20))

    def cut():
        w.policy(POLICY[:POLICY.index("rules:") + 40])

    for put in (lambda: os.mkdir(path), fifo, large, cut, lambda: w.policy(""), lambda: w.policy("version: 1\n"), lambda: os.symlink("/nowhere/at/all", path),
                lambda: os.symlink("policy.yaml", path), lambda: os.symlink("/dev/zero", path), lambda: w.policy("\0\0"), lambda: os.symlink("/etc", path)):
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
        put()
        refused(lambda: w.run(book), "invalid denied io too_big failed not_found")
        refused(lambda: w.user("daemon").ask("run", book=book, mode="auto"), "invalid denied io too_big failed not_found")
        refused(lambda: w.user("lp").ask("attach", execution=ended), "invalid denied io too_big failed not_found")
        same(w.client.ask("hello")["principal"], "user:root")
    os.unlink(path)
    w.policy(POLICY)
    same(w.over(w.run(book))["state"], "succeeded")


@test
def a_policy_replaced_again_and_again_decides_as_one_of_them(w):
    """Every decision names the policy that made it, and is what that one says."""
    import hashlib
    yes, no = POLICY, POLICY.replace('"sh true", ', "")
    digest = lambda text: hashlib.sha256(text.encode()).hexdigest()
    path = os.path.join(w.root, ".rung/policy.yaml")
    x = w.run(w.lua("for i = 1, 150 do pcall(sh, {'true'}) end"), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    for i in range(1000):
        with open(path + ".new", "w") as f:
            f.write((yes, no)[i % 2] + "# %d\n" % (i // 2))
        os.rename(path + ".new", path)
    v = w.step(x, "s0", lambda s: s["state"] == "succeeded", 60)
    known = {}
    for i in range(1000):
        known[digest((yes, no)[i % 2] + "# %d\n" % (i // 2))] = i % 2 == 0
    known[digest(yes)] = True
    decided = [(k["k"] == "call.started", k["d"]["policy"]) for k in w.records(x) if k["d"].get("policy") and k["k"] in ("call.started", "right.decided")]
    same(len(decided), 150)
    for allowed, policy in decided:
        same(known[policy], allowed)
    assert len({p for _, p in decided}) > 3, "the policy did not change in between"
    w.client.ask("cancel", execution=x) if w.view(x)["state"] == "waiting" else None


# --- runbooks that a step starts -------------------------------------------------------------------------------------------------------------


def family(w, child, before=()):
    """A parent that runs the child behind what comes before. Who is in ops runs both."""
    w.policy(POLICY.replace('"sh touch *"]', '"sh touch *", "runbook **"]'))
    name = os.path.relpath(w.book([child], permissions=("sh true", "sh sh -c *")), w.root)
    return w.book(list(before) + [{"fences": [("return runbook('%s')" % name, "lua {id=start}")]}], permissions=("sh true", "sh sh -c *", "runbook %s" % name))


def child_of(w, client, x):
    def look():
        return [c["execution"] for c in client.ask("attach", execution=x).get("children", []) if c["state"]]
    return r.deadline(20, "its child", look)[0]


@test
def who_drove_the_parent_agrees_to_nothing_in_its_child(w):
    path = family(w, {"title": "Drop", "comment": "id=drop", "fences": [("sh{'true'}", "lua {risk=destructive approve=1 from=ops}")]}, [{"title": "Wait"}])
    daemon = w.user("daemon")
    x = w.run_as(daemon, path, mode="guided")
    daemon.ask("handover", execution=x, to="user:root", reason="lunch")
    w.client.ask("settle", execution=x, step="wait", outcome="succeeded")
    w.client.ask("go", execution=x, step="start")
    child = child_of(w, w.client, x)
    w.waits(child, "drop", "approval")
    denied(lambda: approve(daemon, child), "user:daemon", "drove")
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(child, "drop", "approval")
    denied(lambda: approve(w.user("daemon"), child), "user:daemon", "drove")
    w.client.ask("cancel", execution=x, reason="enough")
    w.over(x)


@test
def who_takes_over_a_parent_after_a_crash_drives_its_child(w):
    path = family(w, {"title": "Ask", "fences": [("return {a = ask('go on?')}", "lua {id=ask}")]})
    x = w.run_as(w.user("daemon"), path)
    w.waits(x, "start", "child")
    child = child_of(w, w.user("daemon"), x)
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "start", "child")
    r.deadline(20, "its child is root's", lambda: w.view(child)["driver"] == "user:root")
    refused(lambda: w.user("daemon").ask("answer", execution=child, step="ask", call=1, value="yes"), "denied", "drives")
    w.client.ask("cancel", execution=x, reason="enough")
    w.over(x)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("ok - # skipped: being other users needs root")
        sys.exit(0)
    sys.exit(run_tests(tests, world=Workspace))
