#!/usr/bin/env python3
"""The engine's promises at awkward moments: several deadlines, an outcome unknown beside an open question, proofs that are cut short, a second try of the same
call, cancel and stop while nothing or everything is under way, and frames from a client or a step that no good one would send.

limit: 240"""
import json, os, signal, sqlite3, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from awkward import alive, kill_actor, lines, processes, quoted, refused, sh, there, touch, with_read
from world import run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


# --- what is durable first -----------------------------------------------------------------------------------------------------------------


class Held:
    """The store's write lock, held by somebody else: nothing becomes durable meanwhile."""

    def __init__(self, w):
        self.db = sqlite3.connect(os.path.join(w.engine.state, "store.db"), isolation_level=None, timeout=10)

    def __enter__(self):
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, *why):
        self.db.execute("ROLLBACK")
        self.db.close()


def not_for(seconds, what, condition):
    """Looks for a while: a promise that something does not happen has no other end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not condition(), what
        time.sleep(0.01)


@test
def nothing_leaves_before_its_intent_is_durable(w):
    mark = w.path("mark")
    x = w.run(w.lua('log.info("here") for i = 1, 50000000 do end %s' % sh("touch %s" % mark)), mode="guided")
    other = w.engine.client()
    other.ask("attach", execution=x)
    w.waits(x, "s0", "go")
    w.client.ask("go", execution=x, step="s0")
    r.deadline(10, "the step's first word", lambda: other.event(10)[0].get("ev") == "logged")
    (worker,) = processes(w, b"rung-forkd")[1:]
    os.kill(worker, signal.SIGSTOP)  # while it computes, before it asks
    assert "call.started" not in w.kinds(x), "the worker was faster than this test"
    with Held(w):
        os.kill(worker, signal.SIGCONT)
        not_for(2, "the command ran before its intent was durable", lambda: os.path.exists(mark))
    there(mark)
    w.over(x)
    other.close()


@test
def no_answer_before_its_outcome_is_durable(w):
    mark, go = w.path("mark"), w.path("go")
    x = w.run(w.lua('%s log.info("after it")' % sh("touch %s; until [ -e %s ]; do sleep 0.02; done" % (mark, go))))
    other = w.engine.client()
    other.ask("attach", execution=x)
    there(mark)
    r.deadline(10, "the intent to be stored", lambda: "call.started" in w.kinds(x))
    seen = []

    def hear():
        try:
            while True:
                head, data = other.frame()
                if head.get("ev") == "logged":
                    seen.append(head["text"])
        except r.Closed:
            pass
    threading.Thread(target=hear, daemon=True).start()
    with Held(w):
        touch(go)
        r.deadline(10, "the command to end", lambda: not processes(w, b"until [ -e"))
        not_for(0.7, "Lua had its answer before the outcome was durable", lambda: seen)
    r.deadline(10, "the step to go on", lambda: seen)
    w.over(x)
    other.close()


@test
def a_client_is_told_of_no_outcome_that_is_not_durable(w):
    mark, go = w.path("mark"), w.path("go")
    x = w.run(w.lua(sh("touch %s; until [ -e %s ]; do sleep 0.02; done" % (mark, go))))
    there(mark)
    r.deadline(10, "the intent to be stored", lambda: "call.started" in w.kinds(x))
    with Held(w):
        touch(go)
        r.deadline(10, "the command to end", lambda: not processes(w, b"until [ -e"))
        other = w.engine.client()
        try:
            v = other.ask("attach", timeout=1, execution=x)
            same(v["steps"][0]["calls"][0]["state"], "running")
        except r.Closed:
            pass  # it answers when it is durable
    other.close()
    w.over(x)


@test
def answers_come_in_the_order_of_their_outcomes_live_and_again(w):
    first, mark, go = w.path("first"), w.path("mark"), w.path("go")
    source = """local order = {}
parallel{
  function() %s order[#order + 1] = "slow" end,
  function() %s order[#order + 1] = "quick" end,
}
%s
%s
return {order = order}""" % (sh("until [ -e %s ]; do sleep 0.02; done; sleep 0.1" % first), sh("touch %s" % first), 'sh{"echo", order[1] .. order[2]}',
                             sh("touch %s; until [ -e %s ]; do sleep 0.02; done" % (mark, go), 'effect = "read"'))
    x = w.run(w.lua(source))
    there(mark)
    same([k["c"] for k in w.records(x) if k["k"] == "call.finished"], [2, 1, 3])
    w.restart()
    touch(go)
    w.client.ask("resume", execution=x)
    v = w.over(x)
    same((v["state"], v["steps"][0]["result"]), ("succeeded", {"order": ["quick", "slow"]}))


def running(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@test
def what_a_command_started_dies_with_the_engine_and_with_its_deadline(w):
    mark = w.path("mark")
    # Not the command itself, and deaf to SIGTERM; what has left the process group dies with the engine too.
    script = "(trap '' TERM; while :; do sleep 0.1; done) & echo $! >> {0}.new; {1} sleep 60 & echo $! >> {0}.new; mv {0}.new {0}; wait"
    x = w.run(w.lua(sh(script.format(mark, "setsid"))))
    there(mark)
    with open(mark) as f:
        pids = [int(p) for p in f.read().split()]
    w.client.close()
    w.engine.kill()
    r.deadline(10, "all of it to end", lambda: not any(running(p) for p in pids))
    os.unlink(mark)
    w.engine.start()
    w.client = w.engine.client()
    x = w.run(w.lua((sh(script.format(mark, "")), "timeout=1s")))
    there(mark)
    with open(mark) as f:
        pids = [int(p) for p in f.read().split()]
    w.waits(x, "s0", "resolve")
    assert not any(running(p) for p in pids), "the call is settled while something of it runs"


@test
def recovery_settles_nothing_while_anything_of_the_execution_runs(w):
    mark = w.path("mark")
    x = w.run(w.lua(sh("echo $$ > %s.pid; mv %s.pid %s; exec sleep 60" % (mark, mark, mark))))
    there(mark)
    with open(mark) as f:
        command = int(f.read())
    (actor,) = processes(w, b"actor\0")
    os.kill(actor, signal.SIGSTOP)  # it does not see the end of the engine, and ends nothing
    w.restart()
    w.client.ask("resume", execution=x)
    r.deadline(30, "the unknown outcome", lambda: "call.unknown" in w.kinds(x) or not running(command))
    assert not running(command), "settled while its command ran"
    w.waits(x, "s0", "resolve")


# --- deadlines ----------------------------------------------------------------------------------------------------------------------------


@test
def each_of_two_steps_at_once_has_its_own_deadline(w):
    go = w.path("go")
    x = w.run(w.lua(('sh{"sleep", "60"}', "needs= timeout=300ms effect=read on_failure=continue"), (sh("until [ -e %s ]; do sleep 0.05; done" % go), "needs= timeout=5m")))
    w.step(x, "s0", lambda s: s["state"] == "timed_out", timeout=15)
    touch(go)
    same(w.over(x)["state"], "succeeded")


@test
def a_call_that_is_made_again_has_a_deadline_again(w):
    x = w.run(w.lua(('sh{"sleep", "30"}', "timeout=300ms")))
    w.waits(x, "s0", "resolve")
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="again", reason="it had not begun")
    r.deadline(15, "the second try to be unknown too", lambda: w.kinds(x).count("call.unknown") == 2)
    w.waits(x, "s0", "resolve")
    w.client.ask("cancel", execution=x, reason="enough")
    same(w.over(x)["state"], "cancelled")


@test
def a_deadline_of_centuries_is_no_deadline_at_once(w):
    v = w.over(w.run(w.lua('local ok, why = pcall(sh, {"true"}, {timeout = "106751991d"}) return {ok = ok, why = tostring(why)}')))
    same(v["state"], "succeeded")
    alive(w)


# --- the same call, made again -----------------------------------------------------------------------------------------------------------


@test
def what_a_second_try_prints_is_not_behind_what_the_first_printed(w):
    flag = w.path("flag")
    script = "echo once; [ -e %s ] || sleep 60" % flag
    x = w.run(w.lua(("local r = %s return {out = r.stdout}" % sh(script), "timeout=500ms")))
    w.waits(x, "s0", "resolve")
    touch(flag)
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="again", reason="looked")
    v = w.over(x)
    same((v["state"], v["steps"][0]["result"]), ("succeeded", {"out": "once\n"}))


@test
def a_read_call_whose_actor_was_killed_answers_with_its_own_output_only(w):
    mark = w.path("mark")
    script = "echo once; [ -e %s ] || { touch %s; sleep 60; }" % (mark, mark)
    x = w.run(w.lua("local r = %s return {out = r.stdout}" % sh(script, 'effect = "read"')))
    there(mark)
    w.step(x, "s0", lambda s: s["calls"] and s["calls"][0]["stdout_bytes"] == 5)
    kill_actor(w)
    v = w.over(x)
    same((v["state"], v["steps"][0]["result"]), ("succeeded", {"out": "once\n"}))


@test
def output_before_a_crash_is_shown_with_the_unknown_and_not_with_the_second_try(w):
    flag, mark = w.path("flag"), w.path("mark")
    x = w.run(w.lua("local r = %s return {out = r.stdout}" % sh("echo once; touch %s; [ -e %s ] || sleep 60" % (mark, flag))))
    there(mark)
    w.step(x, "s0", lambda s: s["calls"] and s["calls"][0]["stdout_bytes"] == 5)
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    same(w.client.ask("output", execution=x, step="s0", call=1)["payload"], b"once\n")
    touch(flag)
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="again", reason="looked")
    v = w.over(x)
    same((v["state"], v["steps"][0]["result"]), ("succeeded", {"out": "once\n"}))


@test
def large_output_before_a_crash_is_shown_with_the_unknown(w):
    mark = w.path("mark")
    x = w.run(w.lua(sh("printf start; head -c 12582912 /dev/zero; printf end; touch %s; sleep 60" % mark)))
    there(mark)
    w.step(x, "s0", lambda s: s["calls"] and s["calls"][0]["stdout_bytes"] == 12582912 + 8)
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    total = w.client.ask("output", execution=x, step="s0", call=1)["total"]
    assert total == 10 << 20, total
    last = w.client.ask("output", execution=x, step="s0", call=1, **{"from": total - 3})
    same(last["payload"], b"end")


# --- an unknown outcome beside other things that are open --------------------------------------------------------------------------------


def asked_and_unknown(w, extra=""):
    """A question is open while a command beside it became unknown."""
    return w.run(w.lua(('parallel{function() ask{prompt = "Really?"} end, function() pcall(sh, {"sleep", "60"}, {timeout = "300ms"}) end}%s return {}' % extra)))


@test
def a_question_is_answered_while_a_call_beside_it_is_unknown(w):
    x = asked_and_unknown(w)
    w.step(x, "s0", lambda s: s["state"] == "unknown")
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    assert "question.answered" in w.kinds(x), "the answer was taken and is not recorded"
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="failed", reason="looked")
    same(w.over(x)["state"], "succeeded")


@test
def a_call_is_resolved_while_a_question_beside_it_is_open(w):
    x = asked_and_unknown(w)
    w.step(x, "s0", lambda s: s["state"] == "unknown")
    w.client.ask("resolve", execution=x, step="s0", call=2, answer="failed", reason="looked")
    w.waits(x, "s0", "answer")
    # Nothing spins: a worker that only waits for a person ends.
    r.deadline(10, "the worker to end", lambda: len(processes(w, b"rung-forkd")) == 1)
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    same(w.over(x)["state"], "succeeded")


@test
def one_of_several_unknown_calls_is_resolved_at_a_time(w):
    count = w.path("count")
    x = w.run(w.lua(("parallel{function() %s end, function() pcall(sh, {'sh', '-c', 'sleep 60'}) end}" % sh("echo x >> %s; [ $(wc -l < %s) = 2 ] || sleep 60" % (count, count)), "timeout=700ms")))
    w.waits(x, "s0", "resolve")
    r.deadline(10, "both unknown", lambda: w.kinds(x).count("call.unknown") == 2)
    refused(lambda: w.client.ask("resolve", execution=x, step="s0", call=7, answer="again", reason="no such call"), "not_found", "conflict")
    w.client.ask("resolve", execution=x, step="s0", call=2, answer="failed", reason="looked")
    same(w.waits(x, "s0", "resolve")["state"], "unknown")
    refused(lambda: w.client.ask("resolve", execution=x, step="s0", call=2, answer="again", reason="twice"), "not_found", "conflict")
    w.client.ask("resolve", execution=x, step="s0", call=1, answer="again", reason="looked")
    same((w.over(x)["state"], lines(count)), ("succeeded", 2))


@test
def a_branch_goes_on_when_its_question_is_answered_though_another_is_open(w):
    mark = w.path("first")
    x = w.run(w.lua('parallel{function() ask{prompt = "One?"} %s end, function() ask{prompt = "Two?"} end}' % sh("touch %s" % mark)))
    w.waits(x, "s0", "answer")
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    there(mark)
    w.client.ask("answer", execution=x, step="s0", call=2, value="yes")
    same(w.over(x)["state"], "succeeded")


@test
def a_branch_goes_on_after_a_crash_though_another_waits_for_a_person(w):
    mark, flag, count = w.path("mark"), w.path("flag"), w.path("count")
    x = w.run(w.lua('parallel{function() ask{prompt = "One?"} end, function() %s %s end}' % (sh("touch %s; until [ -e %s ]; do sleep 0.05; done" % (mark, flag), 'effect = "read"'), sh("echo x >> %s" % count))))
    there(mark)
    w.waits(x, "s0", "answer")
    w.restart()
    touch(flag)
    w.client.ask("resume", execution=x)
    r.deadline(15, "the other branch's second call", lambda: lines(count) == 1)
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    same((w.over(x)["state"], lines(count)), ("succeeded", 1))


@test
def an_execution_does_not_end_over_an_unknown_call(w):
    mark = w.path("mark")
    x = w.run(w.lua(('sh{"sleep", "60"}', "needs= timeout=300ms"), (sh("until [ -e %s ]; do sleep 0.05; done; exit 1" % mark), "needs=")))
    w.waits(x, "s0", "resolve", timeout=15)
    touch(mark)
    w.step(x, "s1", lambda s: s["state"] == "failed")
    same(w.view(x)["state"], "attention")
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="done", reason="looked", result={})
    same(w.over(x)["state"], "failed")


# --- proofs ---------------------------------------------------------------------------------------------------------------------------------


def changed_and_proved(w, change, proof, attributes=""):
    return with_read(w.book([{"fences": [(change, "lua {id=s0 %s}" % attributes), (proof, "lua {verify}")]}]), "sh sh -c *")


@test
def after_an_inconclusive_proof_again_runs_the_call_and_a_new_proof(w):
    flag, mark, proofs = w.path("flag"), w.path("mark"), w.path("proofs")
    change = sh("[ -e %s ] && { touch %s; exit 0; }; touch %s; sleep 60" % (mark, flag, mark))
    proof = "return %s.code == 0" % sh("echo x >> %s; test -e %s" % (proofs, flag), "check = false")
    x = w.run(changed_and_proved(w, change, proof, "timeout=20s"))
    there(mark)
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    same(lines(proofs), 1)
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="again", reason="looked")
    v = w.over(x)
    same((v["state"], v["steps"][0]["why"], lines(proofs)), ("succeeded", None, 2))


@test
def an_engine_killed_in_a_proof_proves_again(w):
    mark, proving = w.path("mark"), w.path("proving")
    proof = "%s return true" % sh("[ -e %s ] && exit 0; touch %s; sleep 60" % (proving, proving))
    x = w.run(changed_and_proved(w, sh("touch %s; sleep 60" % mark), proof))
    there(mark)
    w.restart()
    w.client.ask("resume", execution=x)
    there(proving)
    w.restart()
    w.client.ask("resume", execution=x)
    same(w.over(x)["state"], "succeeded")


@test
def an_actor_killed_in_a_proof_leaves_a_step_that_a_person_can_settle(w):
    mark, proving = w.path("mark"), w.path("proving")
    x = w.run(changed_and_proved(w, sh("touch %s; sleep 60" % mark), "%s return false" % sh("[ -e %s ] && exit 0; touch %s; sleep 60" % (proving, proving))))
    there(mark)
    w.restart()
    w.client.ask("resume", execution=x)
    there(proving)
    kill_actor(w)
    w.waits(x, "s0", "resolve")
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="done", reason="looked", result={})
    same(w.over(x)["state"], "succeeded")


@test
def resolving_what_is_not_there_leaves_the_proof_alone(w):
    mark, proving, go = w.path("mark"), w.path("proving"), w.path("proof-go")
    x = w.run(changed_and_proved(w, sh("touch %s; sleep 60" % mark), "%s return true" % sh("touch %s; until [ -e %s ]; do sleep 0.05; done" % (proving, go))))
    there(mark)
    w.restart()
    w.client.ask("resume", execution=x)
    there(proving)
    refused(lambda: w.client.ask("resolve", execution=x, step="s0", call=9, answer="again", reason="no such call"), "not_found", "conflict")
    touch(go)
    same(w.over(x)["state"], "succeeded")


@test
def again_while_a_proof_runs_ends_the_proof(w):
    mark, proving = w.path("mark"), w.path("proving")
    change = sh("[ -e %s ] && exit 0; touch %s; sleep 60" % (mark, mark))
    x = w.run(changed_and_proved(w, change, "%s return true" % sh("[ -e %s ] && exit 0; touch %s; sleep 60" % (proving, proving)), "timeout=30s"))
    there(mark)
    w.restart()
    w.client.ask("resume", execution=x)
    there(proving)
    try:
        w.client.ask("resolve", execution=x, step="s0", call=None, answer="again", reason="looked")
    except r.Refused as e:
        same(e.kind, "conflict")
        w.client.ask("cancel", execution=x, reason="enough")
        same(w.over(x)["state"], "cancelled")
        return
    same(w.over(x)["state"], "succeeded")


@test
def a_manual_step_with_commands_of_a_terminal_is_proved(w):
    path = with_read(w.book([{"title": "Look", "fences": [("df -h", "bash"), ("return %s.code == 0" % sh("exit 0"), "lua {verify}")]}]), "sh sh -c *")
    x = w.run(path, mode="guided")
    id = w.view(x)["steps"][0]["id"]
    w.waits(x, id, "person")
    call = w.client.ask("shell.start", execution=x, step=id, fence=0, command="df -h", cwd="/")["call"]
    w.client.ask("shell.finish", execution=x, step=id, call=call, code=0)
    w.client.ask("settle", execution=x, step=id, outcome="succeeded")
    v = w.over(x)
    same((v["state"], v["steps"][0]["why"]), ("succeeded", None))


@test
def a_step_whose_shell_fence_was_tried_first_runs_its_own_code(w):
    x = w.run(w.book([{"title": "Look", "fences": [(sh("exit 0"), "lua {id=s0}"), ("df -h", "bash")]}]), mode="guided")
    w.waits(x, "s0", "go")
    call = w.client.ask("shell.start", execution=x, step="s0", fence=1, command="df -h", cwd="/")["call"]
    w.client.ask("shell.finish", execution=x, step="s0", call=call, code=0)
    w.client.ask("go", execution=x, step="s0")
    v = w.over(x)
    same((v["state"], v["steps"][0]["why"]), ("succeeded", None))


# --- conditions ---------------------------------------------------------------------------------------------------------------------------


def conditioned(w, condition):
    return with_read(w.book([{"fences": [(condition, "lua {if}"), ("return {}", "lua {id=s0}")]}, {"fences": [('fail("no")', "lua {id=s1 needs=}")]}]), "sh sh -c *")


@test
def a_condition_cut_short_by_a_crash_does_not_keep_the_execution_open(w):
    mark = w.path("mark")
    condition = "return %s.code == 1" % sh("[ -e %s ] && exit 0; touch %s; sleep 60" % (mark, mark), "check = false")
    path = with_read(w.book([{"fences": [(condition, "lua {if}"), ("return {}", "lua {id=s0}")]}, {"fences": [('fail("no")', "lua {id=s1}")]}]), "sh sh -c *")
    x = w.run(path)
    there(mark)
    w.restart()
    w.client.ask("resume", execution=x)
    v = w.over(x)
    same((v["state"], states(v)), ("failed", ["skipped", "failed"]))


@test
def an_execution_cancelled_in_a_condition_ends_after_a_crash(w):
    mark = w.path("mark")
    path = with_read(w.book([{"fences": [("return %s.code == 0" % sh("touch %s; sleep 60" % mark), "lua {if}"), ("return {}", "lua {id=s0}")]}]), "sh sh -c *")
    x = w.run(path)
    there(mark)
    w.client.ask("pause", execution=x)
    w.restart()
    w.client.ask("resume", execution=x)
    w.client.ask("cancel", execution=x, reason="enough")
    same(r.deadline(15, "the end", lambda: w.view(x)["state"] == "cancelled"), True)


# --- cancel, pause, stop, again ------------------------------------------------------------------------------------------------------------


@test
def stop_is_told_and_the_execution_is_gone(w):
    x = w.run(w.lua("return {}", "return {}"), mode="guided")
    w.waits(x, "s0", "go")
    other = w.engine.client()
    other.ask("attach", execution=x)
    w.client.ask("stop", execution=x, note="enough")

    def ended():
        head, data = other.event(10)
        return head["ev"] == "ended"
    r.deadline(10, "its end to be told", ended)
    other.close()
    refused(lambda: w.client.ask("resume", execution=x), "conflict")


@test
def cancel_at_every_moment_of_a_start_ends_it(w):
    for i in range(12):
        x = w.run(w.lua('parallel{function() sh{"sleep", "60"} end, function() ask{prompt = "?"} end}', 'sh{"sleep", "60"}'))
        # From at once to when its commands run: each is waited for by what can be seen.
        if i % 3 == 1:
            w.step(x, "s0", lambda s: s["state"] != "ready")
        if i % 3 == 2:
            w.step(x, "s0", lambda s: s["calls"] and s["calls"][0]["state"] == "running")
        w.client.ask("cancel", execution=x, reason="enough")
        r.deadline(20, "the end", lambda: w.view(x)["state"] == "cancelled")
    r.deadline(10, "nothing of them to run", lambda: not processes(w, b"sleep\0"))


@test
def an_execution_cancelled_before_a_crash_is_cancelled_after_it(w):
    mark = w.path("mark")
    x = w.run(w.lua(sh("trap '' TERM; touch %s; while :; do sleep 0.1; done" % mark)))
    there(mark)
    w.client.ask("cancel", execution=x, reason="enough")
    w.restart()
    w.client.ask("resume", execution=x)
    r.deadline(15, "the end", lambda: w.view(x)["state"] == "cancelled")
    same(w.view(x)["steps"][0]["calls"][0]["state"], "unknown")


@test
def cancel_and_resolve_and_answer_during_recovery_are_taken_or_refused(w):
    mark = w.path("mark")
    x = w.run(w.lua('parallel{function() ask{prompt = "?"} end, function() %s end}' % sh("touch %s; sleep 60" % mark)))
    there(mark)
    w.waits(x, "s0", "answer")
    (actor,) = processes(w, b"actor\0")
    os.kill(actor, signal.SIGSTOP)  # what it started is held: recovery has to wait for the lock
    w.restart()
    other = w.engine.client()
    w.client.ask("resume", execution=x)
    other.ask("resume", execution=x)
    for op, args in (("resolve", {"step": "s0", "call": None, "answer": "done", "reason": "x"}), ("settle", {"step": "s0", "outcome": "succeeded"}), ("again", {"step": "s0"}),
                     ("stop", {}), ("go", {"step": "s0"})):
        refused(lambda: other.ask(op, execution=x, **args), "conflict")
    same(w.kinds(x).count("execution.resumed"), 1)
    other.ask("cancel", execution=x, reason="enough")
    r.deadline(20, "the end", lambda: w.view(x)["state"] == "cancelled")
    assert not os.path.exists("/proc/%d" % actor) or open("/proc/%d/stat" % actor).read().split()[2] == "Z"
    other.close()


@test
def an_engine_killed_again_during_recovery_settles_once(w):
    mark = w.path("mark")
    x = w.run(w.lua(sh("touch %s; sleep 60" % mark)))
    there(mark)
    for _ in range(3):
        w.restart()
        w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    same(w.kinds(x).count("call.unknown"), 1)
    w.restart()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    same(w.kinds(x).count("call.unknown"), 1)


@test
def a_terminated_engine_leaves_nothing_running_and_nothing_lost(w):
    mark, count = w.path("mark"), w.path("count")
    x = w.run(w.lua(sh("echo x >> %s" % count) + " " + sh("touch %s; sleep 60" % mark)))
    there(mark)
    w.client.close()
    same(w.engine.stop(), 0)
    w.engine.start()
    w.client = w.engine.client()
    w.client.ask("resume", execution=x)
    w.waits(x, "s0", "resolve")
    w.client.ask("resolve", execution=x, step="s0", call=None, answer="failed", reason="looked")
    same((w.over(x)["state"], lines(count)), ("failed", 1))


@test
def cancel_settles_a_command_on_a_terminal(w):
    x = w.run(w.book([{"title": "Look", "fences": [("df -h\nuptime", "bash")]}]), mode="guided")
    id = w.view(x)["steps"][0]["id"]
    got = w.client.ask("shell.start", execution=x, step=id, fence=0, command="df -h", cwd="/")
    w.client.ask("shell.output", payload=b"text\n", execution=x, step=id, call=got["call"], stream="stdout")
    w.client.ask("cancel", execution=x, reason="enough")
    r.deadline(10, "the end", lambda: w.view(x)["state"] == "cancelled")
    refused(lambda: w.client.ask("shell.finish", execution=x, step=id, call=got["call"], code=0), "conflict")
    same(w.client.ask("output", execution=x, step=id, call=got["call"], attempt=1)["payload"], b"text\n")


@test
def two_clients_that_contradict_each_other_get_one_of_the_two(w):
    for ops in ((("settle", {"outcome": "succeeded"}), ("settle", {"outcome": "failed"})), (("go", {}), ("settle", {"outcome": "skipped"})), (("go", {}), ("go", {}))):
        x = w.run(w.lua("return {}", "return {}"), mode="guided")
        w.waits(x, "s0", "go")
        clients = [w.engine.client(), w.engine.client()]
        gate = threading.Barrier(2)
        took = []

        def act(c, op, args):
            gate.wait()
            try:
                c.ask(op, execution=x, step="s0", **args)
                took.append(op)
            except r.Refused as e:
                same(e.kind, "conflict")
        threads = [threading.Thread(target=act, args=(c, op, args)) for c, (op, args) in zip(clients, ops)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert took, "neither was taken"
        w.client.ask("cancel", execution=x, reason="next")
        for c in clients:
            c.close()


@test
def settling_needs_a_word_of_the_table_and_an_unknown_call_a_reason(w):
    x = w.run(w.book([{"title": "Look"}]), mode="guided")
    id = w.view(x)["steps"][0]["id"]
    for bad in ("", "banana", "two words", "running", "unknown", "cancelled", "x" * 100):
        refused(lambda: w.client.ask("settle", execution=x, step=id, outcome=bad), "usage", "invalid", "conflict")
    refused(lambda: w.client.ask("settle", execution=x, step=id), "usage", "invalid")
    x = w.run(w.lua(('sh{"sleep", "60"}', "timeout=200ms")))
    w.waits(x, "s0", "resolve")
    refused(lambda: w.client.ask("settle", execution=x, step="s0", outcome="succeeded"), "conflict", "usage")


# --- limits -----------------------------------------------------------------------------------------------------------------------------------


@test
def a_limit_reached_beside_a_running_command_is_the_reason_and_is_final(w):
    count = w.path("count")
    source = 'parallel{function() %s end, function() %s local t = {} while true do t[#t + 1] = ("x"):rep(100000) .. #t end end}' % (
        sh("trap '' TERM; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done", 'effect = "read"'), sh("echo x >> %s" % count, 'effect = "idempotent"'))
    v = w.over(w.run(w.lua(source)))
    same(v["state"], "failed")
    assert "memory" in v["steps"][0]["why"], v["steps"][0]["why"]
    same(lines(count), 1)


@test
def results_of_many_steps_reach_the_step_that_asks_for_one(w):
    big = 'return {text = ("x"):rep(250000)}'
    v = w.over(w.run(w.lua(big, big, big, big, big, "return {n = #steps.s3.text}")))
    same((v["state"], v["steps"][5]["result"]), ("succeeded", {"n": 250000}))


@test
def text_that_is_cut_is_still_text(w):
    v = w.over(w.run(w.lua('go("x" .. ("\\u{e9}"):rep(80))')))
    same(v["state"], "failed")
    v = w.over(w.run(w.lua('local ok, why = pcall(sh, {"x" .. ("\\u{e9}"):rep(700)}) return {why = tostring(why)}', permissions=("sh **", "sh *"))))
    same(v["state"], "succeeded")
    assert "no command" in v["steps"][0]["result"]["why"], v["steps"][0]["result"]
    v = w.over(w.run(w.lua('local ok, why = pcall(sh, {"true"}, {cwd = "/x" .. ("\\u{e9}"):rep(700)}) return {why = tostring(why)}')))
    same(v["state"], "succeeded")
    x = w.run(w.book([{"title": "Look"}]), mode="guided")
    id = w.view(x)["steps"][0]["id"]
    try:
        w.client.ask("settle", execution=x, step=id, outcome="succeeded", note="x" + "\u00e9" * 600000)
    except r.Refused as e:
        assert e.kind in ("too_big", "usage", "invalid"), e
    w.view(x)
    alive(w)


@test
def what_is_too_large_is_refused_with_a_sentence(w):
    huge = "x" * (3 << 20)
    kinds = ("too_big", "usage", "invalid", "conflict", "denied")
    refused(lambda: w.run(w.book([{"title": "Look"}], head="## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| p | string | | x |\n"), params={"p": huge}), *kinds)
    x = w.run(w.book([{"title": "Look", "fences": [("df -h", "bash")]}]), mode="guided")
    id = w.view(x)["steps"][0]["id"]
    refused(lambda: w.client.ask("shell.start", execution=x, step=id, fence=0, command=huge, cwd="/"), *kinds)
    refused(lambda: w.client.ask("shell.start", execution=x, step=id, fence=0, command="df -h", cwd=huge), *kinds)
    refused(lambda: w.client.ask("allow", execution=x, patterns=["sh " + "y" * 1000] * 3000), *kinds)
    x = w.run(w.lua('return {a = ask{prompt = "?"}}'))
    w.waits(x, "s0", "answer")
    refused(lambda: w.client.ask("answer", execution=x, step="s0", call=1, value=huge), *kinds)
    x = w.run(w.lua(('sh{"sleep", "60"}', "timeout=200ms")))
    w.waits(x, "s0", "resolve")
    refused(lambda: w.client.ask("resolve", execution=x, step="s0", call=None, answer="done", reason="x", result={"r": huge}), *kinds)
    alive(w)


@test
def books_with_odd_names_run_or_are_refused(w):
    def tried(path, **more):
        try:
            x = w.run(path, mode="guided", **more)
            w.view(x)
            w.client.ask("cancel", execution=x, reason="seen")
        except r.Refused as e:
            assert e.kind in ("invalid", "usage", "not_found", "too_big", "io"), e
        alive(w)
    text = "# Odd\n\n## Steps\n\n1. Look\n"
    deep = w.folder
    for _ in range(6):
        deep = os.path.join(deep, "d" * 240)
    os.makedirs(deep)
    with open(os.path.join(deep, "book.md"), "w") as f:
        f.write(text)
    tried(os.path.join(deep, "book.md"))
    os.makedirs(os.path.join(w.folder.encode(), b"\xff\xfe"))
    with open(os.path.join(w.folder.encode(), b"\xff\xfe", b"b\xe9.md"), "w") as f:
        f.write(text)
    os.symlink(os.path.join(w.folder.encode(), b"\xff\xfe", b"b\xe9.md"), w.path("link.md").encode())
    tried(w.path("link.md"))
    title = "A very long title " * 200
    with open(w.path("long.md"), "w") as f:
        f.write("# Odd\n\n## %s\n\n### Steps\n\n1. Look {id=%s}\n\n   ```lua {id=%s}\n   return {}\n   ```\n" % (title, "i" * 3000, "j" * 3000))
    tried(w.path("long.md"))
    tried(w.path("long.md") + "#" + "-".join(title.lower().split()))
    with open(w.path("latin.md"), "wb") as f:
        f.write(b"# Caf\xe9\n\n## Steps\n\n1. S\xe9rieux \x01 \xff\n\n   ```lua {id=\xe9}\n   return {s = '\xff'}\n   ```\n")
    tried(w.path("latin.md"))


# --- clients -----------------------------------------------------------------------------------------------------------------------------------


@test
def operations_with_members_of_the_wrong_kind_are_refused(w):
    x = w.run(w.lua('return {a = ask{prompt = "?"}}', "return {}"), mode="guided")
    odd = [None, True, -1, 1 << 62, 1.5, "", "x" * 5000, "\u0000", "\u202e", [], {}, [[[[[[]]]]]], {"b64": "!!"}]
    ops = {"run": ("book", "params", "mode", "allow", "declared"), "attach": ("execution",), "go": ("step",), "settle": ("step", "outcome", "note"), "again": ("step",), "answer": ("step", "call", "value"),
           "resolve": ("step", "call", "answer", "reason", "result"), "note": ("step", "text"), "allow": ("patterns",), "shell.start": ("step", "fence", "command", "cwd"),
           "shell.output": ("step", "call", "stream"), "shell.finish": ("step", "call", "code", "signal"), "output": ("step", "attempt", "call", "stream", "from"),
           "log": ("limit", "before", "open"), "records": ("from", "limit"), "report": ("format",)}
    good = {"step": "s0", "call": 1, "outcome": "failed", "answer": "again", "reason": "x", "text": "x", "command": "true", "book": w.path("none.md"), "attempt": 1, "patterns": ["sh true"]}
    for op, keys in ops.items():
        for key in keys:
            for value in odd:
                args = {k: good[k] for k in keys if k in good}
                args["execution"] = x
                args[key] = value
                try:
                    w.client.ask(op, **args)
                except r.Refused:
                    pass
                except r.Closed:
                    raise AssertionError("%s with %s = %r ended %s: %s" % (op, key, value, "the engine" if w.engine.process.poll() is not None else "the connection", w.log_tail()))
    alive(w)


@test
def a_client_that_does_not_read_holds_nobody_up(w):
    x = w.run(w.lua('sh{"sh", "-c", "head -c 3000000 /dev/zero"}'))
    w.over(x)
    deaf = w.engine.client()
    text = json.dumps({"id": 1, "op": "attach", "args": {"execution": x}}).encode()
    frame = len(text).to_bytes(4, "big") + b"\0\0\0\0" + text
    deaf.sock.sendall(frame * 200)
    alive(w)
    deaf.close()
    alive(w)


sys.exit(run_tests(tests))
