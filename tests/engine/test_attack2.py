#!/usr/bin/env python3
"""More awkward moments: commands on a terminal that outlive their attempt, conditions asked anew, loops with questions and unknown outcomes, books and folders that
are gone, records that this version does not know, clients that leave in the middle, many executions and kills.

limit: 240"""
import fcntl, json, os, shutil, signal, sqlite3, struct, sys, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import rungclient as r
from awkward import alive, lines, processes, refused, sh, there, touch, with_read
from world import run_tests, same, states

tests = []


def test(f):
    tests.append(f)
    return f


def resume(w, x):
    w.restart()
    w.client.ask("resume", execution=x)


def is_file(path):
    return "return %s.code == 0" % sh("test -e %s" % path, "check = false")


# --- conditions ---------------------------------------------------------------------------------------------------------------------------


@test
def a_condition_is_asked_anew_after_again(w):
    flag = w.path("flag")
    x = w.run(with_read(w.book([{"fences": [(is_file(flag), "lua {if}"), ("return {}", "lua {id=s0}")]}, {"title": "Look"}]), "sh sh -c *"))
    w.step(x, "s0", lambda s: s["state"] == "skipped")
    w.client.ask("again", execution=x, step="s0")
    w.step(x, "s0", lambda s: s["state"] == "skipped" and len(s["calls"]) == 2)
    resume(w, x)
    touch(flag)
    w.client.ask("again", execution=x, step="s0")
    w.step(x, "s0", lambda s: s["state"] == "succeeded")


@test
def a_condition_behind_a_loop_is_asked_anew(w):
    count = w.path("count")
    x = w.run(with_read(w.book([{"fences": [(sh("echo x >> %s" % count), "lua {id=s0}")]}, {"fences": [("return %s.code == 0" % sh("[ $(wc -l < %s) = 3 ]" % count, "check = false"), "lua {if}"), ("return {}", "lua {id=s1}")]},
                                {"fences": [('if steps.s1 == nil then go("s0") end', "lua {id=s2}")]}]), "sh sh -c *"))
    v = w.over(x)
    same((v["state"], states(v), lines(count)), ("succeeded", ["succeeded"] * 3, 3))


@test
def a_go_past_a_step_whose_condition_is_asked_waits_for_its_call(w):
    mark, go = w.path("mark"), w.path("go")
    x = w.run(with_read(w.book([{"fences": [('%s go("s2")' % sh("until [ -e %s ]; do sleep 0.02; done" % mark), "lua {id=s0}")]},
                                {"fences": [("return %s.code == 0" % sh("touch %s; until [ -e %s ]; do sleep 0.02; done" % (mark, go)), "lua {if}"), ("return {}", "lua {id=s1 needs=}")]},
                                {"fences": [("return {}", "lua {id=s2}")]}]), "sh sh -c *"))
    w.step(x, "s0", lambda s: s["state"] == "succeeded")
    touch(go)
    v = w.over(x)
    same((v["state"], states(v)), ("succeeded", ["succeeded", "skipped", "succeeded"]))
    same(w.kinds(x).count("call.finished"), w.kinds(x).count("call.started"))


# --- commands on a person's terminal ---------------------------------------------------------------------------------------------------------


def start_terminal(w, x, step, fence=1):
    return w.client.ask("shell.start", execution=x, step=step, fence=fence, command="df -h", cwd="/")["call"]


@test
def a_terminal_command_that_outlives_its_attempt_is_recorded(w):
    x = w.run(w.book([{"fences": [("if run.attempt < 2 then fail('no') end", "lua {id=s0 retry=1 delay=300ms}"), ("df -h", "bash")]}]), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    w.waits(x, "s0", "retry")
    call = start_terminal(w, x, "s0")
    w.step(x, "s0", lambda s: s["state"] == "succeeded")
    w.client.ask("shell.output", payload=b"text\n", execution=x, step="s0", call=call, stream="stdout")
    w.client.ask("shell.finish", execution=x, step="s0", call=call, code=0)
    same(w.over(x)["state"], "succeeded")
    same(w.kinds(x).count("call.finished"), 1)


@test
def a_terminal_command_beside_an_attempt_counts_for_itself(w):
    go = w.path("go")
    x = w.run(w.book([{"fences": [('ask{prompt = "?"} %s' % sh("until [ -e %s ]; do sleep 0.02; done" % go), "lua {id=s0}"), ("df -h", "bash")]}, {"title": "Look"}]), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    w.waits(x, "s0", "answer")
    r.deadline(10, "the worker to end", lambda: len(processes(w, b"rung-forkd")) == 1)
    first, second = start_terminal(w, x, "s0"), start_terminal(w, x, "s0")
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    r.deadline(10, "the step's own call", lambda: w.kinds(x).count("call.started") == 4)
    w.client.ask("shell.finish", execution=x, step="s0", call=first, code=0)
    refused(lambda: w.client.ask("stop", execution=x), "conflict")
    touch(go)
    w.step(x, "s0", lambda s: s["state"] == "succeeded")
    refused(lambda: w.client.ask("stop", execution=x), "conflict")
    refused(lambda: w.client.ask("again", execution=x, step="s0"), "conflict")
    w.client.ask("shell.finish", execution=x, step="s0", call=second, code=1)
    same(w.kinds(x).count("call.finished"), 4)
    w.client.ask("again", execution=x, step="s0")
    w.client.ask("cancel", execution=x, reason="enough")
    r.deadline(10, "the end", lambda: w.view(x)["state"] == "cancelled")


@test
def a_terminal_that_is_gone_leaves_a_step_in_an_attempt_as_it_is(w):
    x = w.run(w.book([{"fences": [('return {a = ask{prompt = "?"}}', "lua {id=s0}"), ("df -h", "bash")]}]), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    w.waits(x, "s0", "answer")
    r.deadline(10, "the worker to end", lambda: len(processes(w, b"rung-forkd")) == 1)
    start_terminal(w, x, "s0")
    w.client.close()
    w.client = w.engine.client()
    r.deadline(10, "its command to be unknown", lambda: "call.unknown" in w.kinds(x))
    w.waits(x, "s0", "answer")
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    same(w.over(x)["state"], "succeeded")


@test
def an_engine_killed_beside_an_open_terminal_command_takes_up_and_ends(w):
    x = w.run(w.book([{"fences": [("return {}", "lua {id=s0}"), ("df -h", "bash")]}, {"title": "Look"}]), mode="guided")
    w.waits(x, "s0", "go")
    start_terminal(w, x, "s0")
    w.client.ask("go", execution=x, step="s0")
    w.step(x, "s0", lambda s: s["state"] == "succeeded")
    resume(w, x)
    r.deadline(10, "its command to be unknown", lambda: "call.unknown" in w.kinds(x))
    w.client.ask("stop", execution=x)
    r.deadline(10, "the end", lambda: w.view(x)["state"] == "failed")


# --- loops, proofs and people -----------------------------------------------------------------------------------------------------------------


@test
def a_loop_asks_again_and_its_unknown_calls_are_resolved_each_time(w):
    count = w.path("count")
    x = w.run(w.lua('return {a = ask{prompt = "?"}}', ("%s fail('no')" % sh("echo x >> %s; [ $(wc -l < %s) -lt 2 ] || sleep 60" % (count, count)), "on_failure=goto:s0 max=2 timeout=400ms")))
    seen = []
    while True:
        v = r.deadline(15, "something to say", lambda: (lambda v: v if v["questions"] or v["state"] in ("attention", "failed", "succeeded") else None)(w.view(x)))
        seen.append(v["state"])
        if v["questions"]:
            w.client.ask("answer", execution=x, step="s0", call=v["questions"][0]["call"], value="yes")
        elif v["state"] == "attention":
            if len(seen) == 4:
                resume(w, x)
            w.client.ask("resolve", execution=x, step="s1", call=None, answer="failed", reason="looked")
        else:
            break
        attempts = [s["attempt"] for s in v["steps"]]
        r.deadline(15, "it to go on", lambda: (lambda n: n["state"] == "failed" or [s["attempt"] for s in n["steps"]] != attempts)(w.view(x)))
    same((v["state"], [s["attempt"] for s in v["steps"]], lines(count)), ("failed", [3, 3], 3))


@test
def a_loop_made_with_go_ends_and_says_so(w):
    v = w.over(w.run(w.lua("return {}", 'go("s0")')), 30)
    same((v["state"], [s["attempt"] for s in v["steps"]]), ("failed", [11, 11]))
    assert "10 times" in v["steps"][1]["why"], v["steps"][1]["why"]


@test
def what_a_step_gave_before_a_loop_is_not_its_result_after(w):
    x = w.run(w.lua("return {n = run.attempt}", ("return {v = 1}", 'if="steps.s0.n == 1"'), 'if steps.s0.n == 1 then go("s0") end return {seen = steps.s1 ~= nil}'))
    v = w.over(x)
    same((v["state"], states(v), v["steps"][1]["result"], v["steps"][2]["result"]), ("succeeded", ["succeeded", "skipped", "succeeded"], None, {"seen": False}))


@test
def a_terminal_command_begun_while_recovery_waits_is_the_terminals_to_end(w):
    mark = w.path("mark")
    x = w.run(w.book([{"fences": [(sh("touch %s; sleep 60" % mark, 'effect = "read"'), "lua {id=s0}"), ("df -h", "bash")]}]), mode="guided")
    w.client.ask("go", execution=x, step="s0")
    there(mark)
    w.client.close()
    w.engine.kill()
    with open(os.path.join(w.engine.state, "locks", x)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as something of the execution that has not ended would
        w.engine.start()
        w.client = w.engine.client()
        w.client.ask("resume", execution=x)
        call = start_terminal(w, x, "s0")
    r.deadline(20, "the step's call to be made again", lambda: w.kinds(x).count("call.started") == 3)
    w.client.ask("shell.finish", execution=x, step="s0", call=call, code=0)
    w.client.ask("cancel", execution=x)
    r.deadline(10, "the end", lambda: w.view(x)["state"] == "cancelled")
    same(w.kinds(x).count("call.unknown"), 0)


@test
def what_a_command_printed_is_kept_and_its_spool_is_not_when_a_cancelled_run_is_taken_up(w):
    x = w.run(w.lua(("sh([[trap '' TERM; echo begun; while :; do sleep 0.05; done]])", "effect=idempotent")))
    w.step(x, "s0", lambda s: s["calls"] and s["calls"][0]["stdout_bytes"] > 0)
    w.client.ask("cancel", execution=x)
    resume(w, x)
    w.over(x)
    (ended,) = [k["d"] for k in w.records(x) if k["k"] in ("call.finished", "call.unknown")]
    same((len(ended.get("stdout", [])), os.listdir(os.path.join(w.engine.state, "spool"))), (1, []))


@test
def a_spool_whose_execution_is_over_goes_when_an_engine_starts(w):
    over, open_one = w.run(w.lua("return {}")), w.run(w.lua("ask('?')"))
    w.over(over)
    w.waits(open_one, "s0", "answer")
    spool = os.path.join(w.engine.state, "spool")
    for name in (over, open_one, "other"):
        touch(os.path.join(spool, name + ".s0.1.1.stdout"))
    w.restart()
    r.deadline(10, "the spool of the one that is over to go", lambda: os.listdir(spool) == [open_one + ".s0.1.1.stdout"])
    resume(w, open_one)
    w.client.ask("cancel", execution=open_one)
    w.over(open_one)


@test
def a_person_repeats_until_the_proof_holds(w):
    flag = w.path("flag")
    x = w.run(with_read(w.book([{"fences": [("return {}", "lua {id=s0}"), (is_file(flag), "lua {verify}")]}, {"title": "Look", "fences": [(is_file(flag), "lua {verify}")]}]), "sh sh -c *"), mode="guided")
    manual = w.view(x)["steps"][1]["id"]
    w.client.ask("go", execution=x, step="s0")
    w.waits(x, "s0", "decision")
    resume(w, x)
    w.waits(x, "s0", "decision")
    touch(flag)
    w.client.ask("again", execution=x, step="s0")
    w.waits(x, manual, "person")
    os.unlink(flag)
    w.client.ask("settle", execution=x, step=manual, outcome="succeeded", note="done")
    w.waits(x, manual, "decision")
    touch(flag)
    w.client.ask("again", execution=x, step=manual)
    w.waits(x, manual, "person")
    w.client.ask("settle", execution=x, step=manual, outcome="succeeded")
    same(w.over(x)["state"], "succeeded")


@test
def a_paused_execution_takes_words_and_starts_nothing(w):
    x = w.run(w.lua("return {}", ('pcall(sh, {"sleep", "60"})', "timeout=200ms"), "return {}"))
    w.waits(x, "s1", "resolve")
    w.client.ask("pause", execution=x)
    refused(lambda: w.client.ask("again", execution=x, step="s0"), "conflict")
    w.client.ask("note", execution=x, step="s1", text="looked")
    w.client.ask("allow", execution=x, patterns=["sh true"])
    w.client.ask("resolve", execution=x, step="s1", call=None, answer="failed", reason="looked")
    v = r.deadline(15, "the step to end", lambda: (lambda v: v if v["steps"][1]["state"] == "succeeded" else None)(w.view(x)))
    same((v["state"], states(v)), ("waiting", ["succeeded", "succeeded", "ready"]))
    w.client.ask("resume", execution=x)
    same(w.over(x)["state"], "succeeded")
    for op, more in (("note", {"text": "late"}), ("allow", {"patterns": ["sh true"]}), ("pause", {}), ("cancel", {}), ("stop", {})):
        refused(lambda: w.client.ask(op, execution=x, **more), "conflict")


@test
def allow_takes_all_of_its_patterns_or_none(w):
    x = w.run(w.book([{"fences": [('sh{"true"}', "lua {id=s0}")]}], permissions=None), mode="guided", declared=False)
    w.waits(x, "s0", "go")
    for bad in (["sh true", ""], ["sh true", 7]):
        refused(lambda: w.client.ask("allow", execution=x, patterns=bad), "usage", "invalid")
    w.client.ask("go", execution=x, step="s0")
    w.step(x, "s0", lambda s: s["state"] == "denied")


@test
def a_malformed_call_number_names_no_call(w):
    x = w.run(w.lua(('parallel{function() ask{prompt = "?"} end, function() sh{"sleep", "60"} end}', "timeout=1s")))
    w.waits(x, "s0", "answer")
    for bad in ("1", 0, -1, 1.5, [], True, (1 << 32) + 1, 1 << 40):
        refused(lambda: w.client.ask("answer", execution=x, step="s0", call=bad, value="yes"), "conflict")
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    w.waits(x, "s0", "resolve")
    for bad in ("2", 0, -1, 1.5, [], True, (1 << 32) + 2, 1 << 40):
        refused(lambda: w.client.ask("resolve", execution=x, step="s0", call=bad, answer="failed", reason="looked"), "usage")
    same(w.view(x)["state"], "attention")


# --- what an execution began with is gone -------------------------------------------------------------------------------------------------------


@test
def an_execution_goes_on_with_the_book_that_it_began_with(w):
    folder = w.path("deep")
    os.mkdir(folder)
    path = os.path.join(folder, "book.md")
    os.rename(w.lua('ask{prompt = "?"} local ok, why = pcall(sh, {"true"}) return {v = 1, why = tostring(why)}'), path)
    x = w.run(path)
    w.waits(x, "s0", "answer")
    with open(path, "w") as f:
        f.write("# Another\n\n## Steps\n\n1. Other\n")
    resume(w, x)
    w.waits(x, "s0", "answer")
    shutil.rmtree(folder)
    resume(w, x)
    w.client.ask("answer", execution=x, step="s0", call=1, value="yes")
    result = w.over(x)["steps"][0]["result"]
    same(result["v"], 1)
    assert folder in result["why"], result


def damaged(w, x, line, execution=True):
    """Somebody writes a record into the store that this program did not make."""
    w.client.close()
    w.engine.stop()
    db = sqlite3.connect(os.path.join(w.engine.state, "store.db"))
    (last,) = db.execute("SELECT max(seq) FROM record").fetchone()
    db.execute("INSERT INTO record (seq, execution, leaf, line) VALUES (?, ?, ?, ?)", (last + 1, x if execution else None, b"\0" * 32, line.encode()))
    db.commit()
    db.close()


def says_so(w, x):
    v = w.engine.verify()
    assert v.returncode == 7 and (v.stdout + v.stderr).strip(), (v.returncode, v.stdout, v.stderr)
    try:
        w.engine.start()
    except AssertionError as e:
        assert "did not start: ''" not in str(e), "it did not say why it does not start"
        return
    w.client = w.engine.client()
    refused(lambda: w.client.ask("resume", execution=x), "verify", "invalid", "io", "conflict")


@test
def a_record_that_was_put_in_is_found(w):
    x = w.run(w.lua('ask{prompt = "?"}'))
    w.waits(x, "s0", "answer")
    last = w.records(x)[-1]
    damaged(w, x, json.dumps(dict(last, seq=last["seq"] + 1, k="step.frobnicated"), separators=(",", ":")))
    says_so(w, x)


@test
def bytes_that_are_no_record_are_found(w):
    x = w.run(w.lua('ask{prompt = "?"}'))
    w.waits(x, "s0", "answer")
    damaged(w, x, "{\"v\":9,\xff")
    says_so(w, x)


# --- many, and deep ---------------------------------------------------------------------------------------------------------------------------


@test
def branches_in_branches_end_or_reach_a_limit_that_says_so(w):
    nest = "local function nest(n) if n == 0 then sh{'true'} return 1 end local r = parallel{%s} return r[1] end return {n = nest(%d)}"
    one = "function() return nest(n - 1) end"
    for branches, depth in ((one, 150), (one + ", " + one, 7)):
        v = w.over(w.run(w.lua(nest % (branches, depth))), 60)
        same((v["state"], v["steps"][0]["result"]), ("succeeded", {"n": 1}))
    v = w.over(w.run(w.lua("local function nest(n) return parallel{function() return nest(n + 1) end} end nest(0)")))
    same(v["state"], "failed")
    assert "memory" in v["steps"][0]["why"] or "deep" in v["steps"][0]["why"], v["steps"][0]["why"]
    alive(w)


def frame(op, **args):
    text = json.dumps({"id": 1, "op": op, "args": args}).encode()
    return struct.pack(">II", len(text), 0) + text


@test
def clients_that_leave_in_the_middle_change_nothing_else(w):
    path = w.lua(sh("sleep 0.1"))
    run = frame("run", book=path, mode="auto", declared=True, attach=True)
    for i in range(20):
        c = w.engine.client()
        c.sock.sendall(run if i % 2 else run[:1 + i * len(run) // 20])
        c.close()
    x = w.run(w.lua(('sh{"sleep", "60"}', "timeout=3s")))
    w.waits(x, "s0", "resolve")
    c = w.engine.client()
    c.sock.sendall(frame("resolve", execution=x, step="s0", call=None, answer="failed", reason="looked"))
    c.close()
    r.deadline(15, "the end", lambda: w.view(x)["state"] == "failed")
    r.deadline(30, "all to end", lambda: not any(e["open"] for e in w.client.ask("log", limit=100)["executions"]))
    alive(w)


@test
def many_executions_at_once_survive_kills(w):
    count, n = w.path("count"), 120
    path = w.lua(sh("echo 1:$RUNG_EXECUTION >> %s" % count, 'effect = "idempotent"') + ' return {a = ask{prompt = "?"}}', sh("echo 2:$RUNG_EXECUTION >> %s" % count))
    all_of_them = [w.run(path) for _ in range(n)]
    for _ in range(3):
        w.restart()
        for x in all_of_them:
            w.client.ask("resume", execution=x)
        (victim,) = processes(w, b"actor\0")[:1] or (0,)
        if victim:
            os.kill(victim, signal.SIGKILL)
    for x in all_of_them:
        w.waits(x, "s0", "answer", timeout=60)
    for i, x in enumerate(all_of_them):
        w.client.ask("answer", execution=x, step="s0", call=2, value="yes")
        if i == n // 2:
            w.restart()
            for y in all_of_them:
                try:
                    w.client.ask("resume", execution=y)
                except r.Refused as e:
                    same(e.kind, "conflict")  # over
    for x in all_of_them:
        v = w.over(x, 60)
        if v["state"] == "attention":
            w.client.ask("resolve", execution=x, step="s1", call=None, answer="done", reason="it may have", result={})
            v = r.deadline(20, "the end", lambda: (lambda v: v if v["state"] == "succeeded" else None)(w.view(x)))
        same(v["state"], "succeeded")
    with open(count) as f:
        seconds = [l for l in f.read().split("\n") if l.startswith("2:")]
    same(len(seconds), len(set(seconds)))


sys.exit(run_tests(tests, unverified=(a_record_that_was_put_in_is_found, bytes_that_are_no_record_are_found)))
