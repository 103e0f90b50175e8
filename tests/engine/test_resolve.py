#!/usr/bin/env python3
"""What a person is told before saying what became of an unknown call, and that it is true: each consequence that is shown is compared with what then happens. Commands
append a line to a file outside; that file, not the record, says what was made again.

limit: 240"""
import os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from httpd import Httpd
from awkward import kill_actor, lines, refused, sh, there, touch, with_read
from world import World, run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


def marking(w, name, then="true"):
    """A command that leaves its name in the file outside."""
    return sh("echo %s >> %s; %s" % (name, w.path("made"), then))


def made(w):
    if not os.path.exists(w.path("made")):
        return []
    with open(w.path("made")) as f:
        return f.read().split()


def hanging(w, name):
    """One that has its effect and then does not end, until there is a file \"go\"."""
    return marking(w, name, "echo half way; touch %s; until [ -e %s ]; do sleep 0.02; done" % (w.path("begun-" + name), w.path("go")))


def cut(w, x, *names):
    """Kills the engine while those are in flight; a new one takes it up. From then on commands end by themselves."""
    for name in names:
        there(w.path("begun-" + name))
    w.restart()
    touch(w.path("go"))
    w.client.ask("resume", execution=x)


def show(w, x, step="s0", **more):
    return w.client.ask("resolve.show", execution=x, step=step, **more)


def resolve(w, x, answer, step="s0", **more):
    return w.client.ask("resolve", execution=x, step=step, answer=answer, reason=more.pop("reason", "looked at the host"), **more)


def said(shown, answer):
    return " | ".join(shown["answers"][answer])


def has(text, *parts):
    for part in parts:
        assert part in text, "%r is not in %r" % (part, text)


def hasnt(text, *parts):
    for part in parts:
        assert part not in text, "%r is in %r" % (part, text)


def resolved(w, x):
    return [k for k in w.records(x) if k["k"] == "call.resolved"]


# --- what is shown ---


@test
def what_was_sent_when_and_how_and_what_it_printed(w):
    x = w.run(w.lua("sh({\"sh\", \"-c\", \"cat; echo half way >&2; touch %s; sleep 60\"}, {stdin = \"12345\", env = {COLOUR = \"red\"}, cwd = \"/\"})" % w.path("begun-a")))
    w.step(x, "s0", lambda s: s["calls"] and [s["calls"][0]["stdout_bytes"], s["calls"][0]["stderr_bytes"]] == [5, 9])
    cut(w, x, "a")
    w.waits(x, "s0", "resolve")
    s = show(w, x)
    (c,) = s["calls"]
    same([c["call"], c["effect"], c["cwd"], c["stdin_bytes"], c["env"], c["host"], c["selected"]], [1, "once", "/", 5, ["COLOUR"], None, True])
    has(c["words"], "half way", "sleep 60")
    has(c["why"], "the engine ended while it was under way")
    assert 0 < c["started_us"] < c["unknown_us"], c
    same([c["output"]["stdout"]["last"], c["output"]["stderr"]["last"], c["output_bytes"]], ["12345", "half way\n", 14])
    same([[f["from"], f["settles"]] for f in c["facts"]], [["processes", None]])
    has(c["facts"][0]["says"], "nothing that this execution started runs any more")
    same([s["unknown"], s["selected"], s["can_verify"], s["proof"]], [1, 1, False, None])
    same(show(w, x)["digest"], s["digest"])
    resolve(w, x, "failed")
    w.over(x)


@test
def processes_that_outlived_their_deadline_are_named(w):
    x = w.run(w.lua("sh({\"sh\", \"-c\", \"setsid sleep 4711 & touch %s; sleep 60\"}, {timeout = \"300ms\"})" % w.path("begun-a"), permissions=("sh sh -c *",)), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    w.waits(x, "s0", "resolve")
    (c,) = show(w, x)["calls"]
    has(c["why"], "ended at its deadline")
    has(c["facts"][0]["says"], "still run", "(sleep)")
    # What stands in another process's arguments nobody has redacted: a secret of the environment may.
    hasnt(c["facts"][0]["says"], "4711")
    resolve(w, x, "failed")
    w.waits(x, "s0", "decision")
    w.client.ask("stop", execution=x)


@test
def a_receipt_tells_what_it_keeps(w):
    x = w.run(w.lua("sh({\"sh\", \"-c\", \"touch %s; until [ -e %s ]; do sleep 0.02; done; exit 3\"}, {effect = \"receipt\", check = false})" % (w.path("begun-a"), w.path("go"))))
    there(w.path("begun-a"))
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    folder = os.path.join(w.folder, "state", "receipts", x, "s0.1.1")

    def fact():
        f = show(w, x)["calls"][0]["facts"][0]
        same(f["from"], "receipt")
        return f

    same(fact()["settles"], "begun")
    has(fact()["says"], "No end was written down, and it does not run any more")
    with open("/proc/self/stat") as f:
        start = f.read().rsplit(")", 1)[1].split()[19]
    with open("/proc/sys/kernel/random/boot_id") as f:
        boot = f.read().strip()
    with open(os.path.join(folder, "claim", "runs"), "w") as f:
        f.write("%d %s %s\n" % (os.getpid(), start, boot))
    has(fact()["says"], "still runs: process %d" % os.getpid())
    with open(os.path.join(folder, "claim", "runs"), "w") as f:
        f.write("%d 1 %s\n" % (os.getpid(), boot))
    hasnt(fact()["says"], "still runs")
    with open(os.path.join(folder, "finish"), "w") as f:
        f.write("%-64s\n" % "3 whole")
    same(fact()["settles"], "ended")
    has(fact()["says"], "exit status 3 at 20")
    os.remove(os.path.join(folder, "finish"))
    os.rename(os.path.join(folder, "claim"), os.path.join(folder, "elsewhere"))
    same(fact()["settles"], "not_made")
    has(fact()["says"], "did not start")
    os.rename(os.path.join(folder, "elsewhere"), os.path.join(folder, "claim"))
    resolve(w, x, "failed")
    w.over(x)


@test
def a_keyed_call_is_told_with_its_key(w):
    """It is unknown where the actor ends too often."""
    x = w.run(w.lua(sh("echo $RUNG_KEY >> %s; sleep 60" % w.path("made"), "effect = 'keyed'")))
    for n in range(1, 4):
        r.deadline(20, "the command", lambda n=n: len(made(w)) >= n)
        kill_actor(w)
    w.waits(x, "s0", "resolve")
    key = made(w)[0]
    s = show(w, x)
    has(s["calls"][0]["facts"][0]["says"], "the key %s:" % key)
    has(said(s, "again"), "with the same key")
    resolve(w, x, "again")
    r.deadline(20, "the command", lambda: len(made(w)) == 4)
    same(set(made(w)), {key})
    w.client.ask("cancel", execution=x, reason="seen")
    w.over(x)


# --- again ---


@test
def again_repeats_that_call_and_no_other(w):
    x = w.run(w.lua("%s; %s; %s" % (marking(w, "one"), hanging(w, "two"), marking(w, "three"))))
    cut(w, x, "two")
    w.waits(x, "s0", "resolve")
    s = show(w, x)
    has(said(s, "again"), "call 2 is made once more; if it did happen, it happens twice. The same is sent: echo two",
        "call 1 has an outcome and is not made again: the recorded answer is taken over")
    same(made(w), ["one", "two"])
    resolve(w, x, "again", shown=s["digest"])
    same(w.over(x)["state"], "succeeded")
    same(made(w), ["one", "two", "two", "three"])
    (k,) = resolved(w, x)
    same([k["d"]["answer"], k["d"]["is_seen"], k["by"][:5]], ["again", True, "user:"])
    assert k["d"]["reason"] and k["d"]["shown"], k


@test
def one_of_two_is_answered_and_nothing_is_made_before_the_other_is(w):
    x = w.run(w.lua("parallel{function() %s end, function() pcall(function() %s end) end}" % (hanging(w, "one"), hanging(w, "two"))))
    cut(w, x, "one", "two")
    w.waits(x, "s0", "resolve")
    s = show(w, x, call=1)
    same([s["unknown"], s["selected"], [c["selected"] for c in s["calls"]]], [2, 1, [True, False]])
    has(said(s, "again"), "call 1 is made once more", "call 2 stays unknown: nothing of the step is made before that is answered too")
    hasnt(said(s, "again"), "call 2 is made")
    has(said(s, "done"), "that settles call 2 too")
    before = sorted(made(w))
    resolve(w, x, "again", call=1, shown=s["digest"])
    s = show(w, x)
    same([[c["call"] for c in s["calls"]], sorted(made(w))], [[2], before])
    has(said(s, "failed"), "call 2 failed")
    resolve(w, x, "failed", call=2)
    same(w.over(x)["state"], "succeeded")
    same(sorted(made(w)), ["one", "one", "two"])


@test
def two_are_answered_at_once(w):
    x = w.run(w.lua("parallel{function() %s end, function() %s end}" % (hanging(w, "one"), hanging(w, "two"))))
    cut(w, x, "one", "two")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "again"), "call 1 is made once more", "call 2 is made once more")
    same(resolve(w, x, "again")["resolved"], 2)
    same(w.over(x)["state"], "succeeded")
    same(sorted(made(w)), ["one", "one", "two", "two"])


@test
def the_requests_to_one_host_are_answered_together(w):
    with Httpd() as server:
        names = ("127.0.0.1", "localhost")
        each = ", ".join("function() pcall(http.post, 'http://%s:%d/hang', {body = 'four'}) end" % (names[i % 2], server.port) for i in range(4))
        x = w.run(w.lua("parallel{%s}" % each, permissions=["http POST http://%s:%d/hang" % (n, server.port) for n in names]))
        r.deadline(20, "the requests", lambda: len(server.requests) == 4)
        w.restart()
        w.client.ask("resume", execution=x)
        w.waits(x, "s0", "resolve")
        s = show(w, x)
        same([[c["call"], c["host"], c["cwd"], c["body_bytes"]] for c in s["calls"]], [[i + 1, names[i % 2], None, 4] for i in range(4)])
        has(s["calls"][0]["words"], "POST http://127.0.0.1:%d/hang" % server.port)
        one = show(w, x, host="localhost")
        same([one["selected"], [c["call"] for c in one["calls"] if c["selected"]]], [2, [2, 4]])
        has(said(one, "failed"), "calls 2, 4 failed", "calls 1, 3 stay unknown")
        same(resolve(w, x, "failed", host="localhost", shown=one["digest"])["resolved"], 2)
        refused(lambda: resolve(w, x, "failed", host="localhost"), "not_found")
        same([c["call"] for c in show(w, x)["calls"]], [1, 3])
        same(len(server.requests), 4)
        resolve(w, x, "again", host="127.0.0.1")
        r.deadline(20, "the requests", lambda: len(server.requests) == 6)
        same([q.header("Host").split(":")[0] for q in server.requests[4:]], ["127.0.0.1"] * 2)
        w.client.ask("cancel", execution=x, reason="seen")
        w.over(x)


# --- failed ---


@test
def failed_ends_the_execution_where_the_book_says_stop(w):
    x = w.run(w.lua("%s; %s" % (hanging(w, "one"), marking(w, "never")), marking(w, "behind"), marking(w, "last")))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "failed"), "told that call 1 failed", "with your reason", "else the step fails | then the execution ends: failed | not run then: s1, s2")
    resolve(w, x, "failed", reason="it is not there")
    v = w.over(x)
    same([v["state"], states(v), made(w)], ["failed", ["failed", "pending", "pending"], ["one"]])
    has(v["steps"][0]["why"], "it is not there")


@test
def failed_is_caught_by_code_that_catches_it(w):
    x = w.run(w.lua("local ok, why = pcall(function() %s end); %s; return {ok = ok, why = tostring(why)}" % (hanging(w, "one"), marking(w, "behind"))))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "failed"), "where the code catches that (pcall), it goes on and makes its next calls")
    resolve(w, x, "failed", reason="it is not there")
    v = w.over(x)
    same([v["state"], made(w), v["steps"][0]["result"]["ok"]], ["succeeded", ["one", "behind"], False])
    has(v["steps"][0]["result"]["why"], "it is not there")


@test
def failed_with_a_retry_makes_every_call_anew(w):
    x = w.run(w.lua(("%s; %s" % (marking(w, "one"), hanging(w, "two")), "retry=2")))
    cut(w, x, "two")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "failed"), "tried again by itself (1 of 2): all of its calls are made anew, those too that had succeeded")
    resolve(w, x, "failed")
    same(w.over(x)["state"], "succeeded")
    same(made(w), ["one", "two", "one", "two"])


@test
def failed_goes_on_behind_it_where_the_book_says_continue(w):
    x = w.run(w.lua(marking(w, "first"), (hanging(w, "two"), "on_failure=continue"), marking(w, "third")))
    cut(w, x, "two")
    w.waits(x, "s1", "resolve")
    has(said(show(w, x, "s1"), "failed"), "else the step fails, and the book goes on behind it | then comes: s2")
    resolve(w, x, "failed", step="s1")
    v = w.over(x)
    same([states(v), made(w)], [["succeeded", "failed", "succeeded"], ["first", "two", "third"]])


@test
def failed_goes_back_where_the_book_says_goto(w):
    x = w.run(w.lua(marking(w, "first"), (hanging(w, "two"), "on_failure=goto:s0")))
    cut(w, x, "two")
    w.waits(x, "s1", "resolve")
    has(said(show(w, x, "s1"), "failed"), "then the book goes to s0: it starts again, with the steps that depend on it")
    hasnt(said(show(w, x, "s1"), "failed"), "not run then")
    resolve(w, x, "failed", step="s1")
    v = w.over(x)
    same([states(v), made(w)], [["succeeded", "succeeded"], ["first", "two", "first", "two"]])


@test
def failed_with_a_person_at_the_run_asks_what_now(w):
    x = w.run(w.lua(hanging(w, "one"), "return 1"), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "failed"), "you are asked: again, done, skip, or stop here")
    resolve(w, x, "failed")
    w.waits(x, "s0", "decision")
    w.client.ask("stop", execution=x)


# --- done ---


@test
def done_makes_nothing_and_the_next_step_comes(w):
    x = w.run(w.lua("%s; %s" % (hanging(w, "one"), marking(w, "never")), "%s; return {got = steps.s0}" % marking(w, "behind"), "return 1"))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "done"), "the whole step counts as succeeded", "steps.s0 is read by s1", "then comes: s1")
    hasnt(said(show(w, x), "done"), "s2")
    s = show(w, x)
    same(s["readers"], ["s1"])
    resolve(w, x, "done", shown=s["digest"], result={"rows": 3})
    v = w.over(x)
    same([states(v), made(w), v["steps"][1]["result"]], [["succeeded"] * 3, ["one", "behind"], {"got": {"rows": 3}}])
    (k,) = [k for k in w.records(x) if k["k"] == "step.settled"]
    same([k["d"]["why"], k["d"]["is_seen"]], ["resolved", True])
    assert k["d"]["shown"], k


@test
def done_with_nothing_behind_it_ends_the_execution(w):
    x = w.run(w.lua(hanging(w, "one")))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "done"), "no step to come reads it | then the execution ends: succeeded")
    resolve(w, x, "done")
    same(w.over(x)["state"], "succeeded")
    same([made(w), [k["d"].get("is_seen") for k in w.records(x) if k["k"] == "step.settled"]], [["one"], [False]])


@test
def done_while_paused_says_that_nothing_starts(w):
    x = w.run(w.lua(hanging(w, "one"), marking(w, "behind")))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    w.client.ask("pause", execution=x)
    has(said(show(w, x), "done"), "then comes: s1, once it is not paused any more")
    resolve(w, x, "done")
    same([states(w.view(x)), made(w)], [["succeeded", "ready"], ["one"]])
    has(refused(lambda: resolve(w, x, "again"), "conflict"), "step s0 is succeeded: user:", "settled it meanwhile")
    w.client.ask("resume", execution=x)
    same(w.over(x)["state"], "succeeded")


@test
def what_comes_next_is_what_needs_nothing_else(w):
    book = w.book([{"fences": [(hanging(w, "one"), "lua {id=s0}")]}, {"title": "By hand", "comment": "id=hand needs="},
                   {"fences": [(marking(w, "after-both"), "lua {id=both needs=s0,hand}")]}, {"fences": [(marking(w, "after"), "lua {id=after needs=s0}")]}])
    x = w.run(book)
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    has(said(show(w, x), "done"), "then comes: after")
    hasnt(said(show(w, x), "done"), "both", "hand", "ends")
    has(said(show(w, x), "failed"), "not run then: hand, both, after")
    resolve(w, x, "done")
    w.step(x, "after", lambda s: s["state"] == "succeeded")
    same([states(w.view(x)), made(w)], [["succeeded", "waiting", "pending", "succeeded"], ["one", "after"]])
    w.client.ask("settle", execution=x, step="hand", outcome="succeeded")
    w.over(x)


@test
def the_step_s_time_goes_on_where_it_stood(w):
    x = w.run(w.lua((hanging(w, "one"), "timeout=200s")))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    line = [l for l in show(w, x)["answers"]["again"] if "s are left" in l]
    assert line and 150 < int(line[0].split()[4]) <= 200, line
    resolve(w, x, "failed")
    w.over(x)


@test
def a_result_belongs_to_done(w):
    x = w.run(w.lua(hanging(w, "one")))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    refused(lambda: resolve(w, x, "again", result={}), "usage")
    same(made(w), ["one"])
    resolve(w, x, "done")
    w.over(x)


# --- verify ---


def proving(w, verify, *behind):
    book = w.book([{"fences": [(hanging(w, "one"), "lua {id=s0}"), (verify, "lua {verify}")]}] +
                  [{"fences": [(b, "lua {id=s%d}" % (i + 1))]} for i, b in enumerate(behind)])
    return with_read(book, "sh sh -c *", "sh true", "sh false")


def proof(w, x, condition, step="s0"):
    return w.step(x, step, lambda s: s["proof"] and condition(s["proof"]))["proof"]


@test
def verify_says_when_it_was_run_and_what_it_said(w):
    x = w.run(proving(w, sh("echo looked >> %s; test -e %s" % (w.path("looks"), w.path("fine"))), "return steps.s0"))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    s = show(w, x)
    p = s["proof"]
    same([p["state"], p["by"], [c["outcome"] for c in p["calls"]], [c["code"] for c in p["calls"]]], ["failed", None, ["ok"], [1]])
    assert 0 < p["started_us"] <= p["finished_us"], p
    has(p["why"], "exit status 1")
    same(lines(w.path("looks")), 1)
    w.client.ask("resolve.verify", execution=x, step="s0")
    p2 = proof(w, x, lambda p: p["state"] == "failed" and p["by"])
    same([p2["by"][:5], len(p2["calls"]), lines(w.path("looks"))], ["user:", 1, 2])
    assert p2["started_us"] > p["finished_us"]
    # What was shown before it is not what stands now.
    refused(lambda: resolve(w, x, "failed", shown=s["digest"]), "conflict")
    touch(w.path("fine"))
    w.client.ask("resolve.verify", execution=x, step="s0")
    same(w.over(x)["state"], "succeeded")
    same([made(w), [k["by"][:5] for k in w.records(x) if k["k"] == "verification.started"]], [["one"], ["syste", "user:", "user:"]])
    same([k["d"]["why"] for k in w.records(x) if k["k"] == "step.settled"], ["verify"])


@test
def what_verify_returns_is_the_step_s_result(w):
    x = w.run(proving(w, "local r = %s; return r.code == 0 and {rows = 7}" % sh("test -e %s" % w.path("fine"), "check = false"), "return {got = steps.s0.rows}"))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    has(show(w, x)["proof"]["why"], "the verification returned false")
    touch(w.path("fine"))
    w.client.ask("resolve.verify", execution=x, step="s0")
    same(w.over(x)["steps"][1]["result"], {"got": 7})


@test
def verify_only_reads(w):
    book = w.book([{"fences": [(hanging(w, "one"), "lua {id=s0}"), (marking(w, "proof"), "lua {verify}")]}])
    x = w.run(with_read(book, "sh true"))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    w.client.ask("resolve.verify", execution=x, step="s0")
    p = proof(w, x, lambda p: p["state"] == "failed" and p["by"])
    same([[c["outcome"] for c in p["calls"]], made(w)], [["denied"], ["one"]])
    resolve(w, x, "failed")
    w.over(x)


@test
def verify_runs_once_at_a_time_and_an_answer_ends_it(w):
    x = w.run(proving(w, sh("test -e %s && sleep 60; false" % w.path("slow"))))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    touch(w.path("slow"))
    w.client.ask("resolve.verify", execution=x, step="s0")
    proof(w, x, lambda p: p["state"] == "running" and p["calls"])
    refused(lambda: w.client.ask("resolve.verify", execution=x, step="s0"), "conflict")
    resolve(w, x, "failed")
    w.over(x)
    refused(lambda: w.client.ask("resolve.verify", execution=x, step="s0"), "conflict", "not_found")


@test
def verify_that_an_engine_s_end_cut_short_is_run_anew(w):
    x = w.run(proving(w, sh("echo >> %s; test -e %s && sleep 60; false" % (w.path("looks"), w.path("slow")))))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    touch(w.path("slow"))
    w.client.ask("resolve.verify", execution=x, step="s0")
    r.deadline(20, "the proof", lambda: lines(w.path("looks")) == 2)
    os.remove(w.path("slow"))
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    same([lines(w.path("looks")), made(w), show(w, x)["proof"]["state"]], [3, ["one"], "failed"])
    resolve(w, x, "failed")
    w.over(x)


@test
def without_a_verify_there_is_none_to_run(w):
    x = w.run(w.lua(hanging(w, "one")))
    refused(lambda: w.client.ask("resolve.verify", execution=x, step="s0"), "conflict")
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    refused(lambda: w.client.ask("resolve.verify", execution=x, step="s0"), "conflict")
    resolve(w, x, "failed")
    w.over(x)


# --- answers that come late ---


@test
def an_answer_to_what_was_answered_meanwhile_is_a_conflict_that_says_so(w):
    x = w.run(w.lua("parallel{function() %s end, function() %s end}" % (hanging(w, "one"), hanging(w, "two"))))
    cut(w, x, "one", "two")
    w.waits(x, "s0", "resolve")
    seen = show(w, x)["digest"]
    resolve(w, x, "again", call=1)
    refused(lambda: resolve(w, x, "failed", shown=seen), "conflict")
    try:
        resolve(w, x, "failed", call=1)
        assert False, "it was taken"
    except r.Refused as e:
        has(str(e), "user:", "has answered it meanwhile (again)")
    refused(lambda: resolve(w, x, "failed", call=9), "not_found")
    refused(lambda: resolve(w, x, "failed", host="web-1"), "not_found")
    same([made(w).count("one"), len(resolved(w, x))], [1, 1])
    resolve(w, x, "again", call=2)
    same(w.over(x)["state"], "succeeded")
    same(sorted(made(w)), ["one", "one", "two", "two"])


@test
def what_was_shown_is_in_the_record_and_in_the_report(w):
    x = w.run(proving(w, "return false"))
    cut(w, x, "one")
    w.waits(x, "s0", "resolve")
    resolve(w, x, "failed", shown=show(w, x)["digest"], reason="not in the table")
    w.over(x)
    text = w.client.ask("report", execution=x, format="markdown")["text"]
    (line,) = [l for l in text.split("\n") if "resolved: failed" in l]
    has(line, "not in the table", "call 1 sent 20", "the engine ended while it was under way", "bytes printed by then", "verify of 20", "did not hold")


if __name__ == "__main__":
    sys.exit(run_tests(tests))
