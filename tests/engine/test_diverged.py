#!/usr/bin/env python3
"""A step that, run again over its recorded answers, asks something else: it stops as diverged, makes nothing, and a person sees both questions, in the terminal, in reports
and in JSON. Lua sees nothing that is not recorded; so another fork server takes over here, whose steps see more than they should, and what they ask depends on that.

limit: 240"""
import json, os, shutil, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from world import World, run_tests, same, states

tests = []
LONG = "x" * 2000


def test(f):
    tests.append(f)
    return f


def with_forkd(w, name):
    """An engine whose fork server is that variant."""
    release = os.path.dirname(os.path.abspath(os.environ.get("RUNG_RELEASE", "build/rung")))
    folder = w.path("with-" + name)
    if not os.path.exists(folder):
        os.mkdir(folder)
        for source, to in (("rung", "rung"), (name, "rung-forkd")):
            shutil.copy2(os.path.join(release, source), os.path.join(folder, to))
    w.engine.program = os.path.join(folder, "rung")


def diverge(w, source, ends="diverged", before="", mode="auto", more=()):
    """Runs the step until its second call, and takes it up where `strange` is true."""
    ran, mark = w.path("ran"), w.path("mark")
    head = 'local strange = io ~= nil\nlocal function mark() return sh({"sh", "-c", "echo mark >> %s; touch %s; sleep 30"}, {effect = "read"}) end\n' % (ran, mark)
    with_forkd(w, "rung-forkd")
    w.restart()
    x = w.run(w.book([{"fences": [(head + source.replace("RAN", ran), "lua {id=s0}")] + list(more)}], permissions=("sh sh -c **", "sh echo **")), mode=mode)
    if mode == "guided":
        w.client.ask("go", execution=x, step="s0")
    r.deadline(20, "second call", lambda: os.path.exists(mark))
    with_forkd(w, "rung-forkd-open")
    w.restart()
    w.client.ask("resume", execution=x)
    if mode == "guided":
        w.waits(x, "s0", "decision")
    else:
        same(w.over(x)["state"], ends)
    with open(ran) as f:
        w.ran = f.read().split()
    return x


def cli(w, *words, status=0):
    got = subprocess.run([w.engine.program, *words, "--state", w.engine.state], env=w.engine.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    same(got.returncode, status)
    return got.stdout + got.stderr


ASKS = 'sh({"sh", "-c", "echo one >> RAN", strange and "--all" or "--canary"}) mark()'


@test
def both_questions_are_in_json(w):
    x = diverge(w, ASKS)
    d = w.view(x)["steps"][0]["diverged"]
    same((d["call"], d["recorded"]["words"][-8:], d["asked"]["words"][-5:]), (1, "--canary", "--all"))
    same([d[k]["module"] for k in ("recorded", "asked")], ["sh", "sh"])
    same([d[k]["arguments"]["argv"][-1] for k in ("recorded", "asked")], ["--canary", "--all"])
    report = json.loads(cli(w, "report", x, "--json"))
    same(report["steps"][0]["diverged"], d)
    # The worker of the variant is no part of the record: only what it asked is.
    same(w.ran, ["one", "mark"])


@test
def both_questions_are_in_what_people_see(w):
    x = diverge(w, ASKS)
    for words in (("attach", x), ("report", x)):
        said = cli(w, *words, status=1 if words[0] == "attach" else 0)
        assert "--canary" in said and "--all" in said, (words, said)


@test
def resume_shows_both(w):
    # What takes it up follows it to its end.
    mark = w.path("mark")
    with_forkd(w, "rung-forkd")
    w.restart()
    x = w.run(w.lua('sh({"echo", io and "all" or "canary"}) sh({"sh", "-c", "touch %s; sleep 30"}, {effect = "read"})' % mark))
    r.deadline(20, "second call", lambda: os.path.exists(mark))
    with_forkd(w, "rung-forkd-open")
    w.restart()
    said = cli(w, "resume", x, status=1)
    assert "canary" in said and "all" in said, said


@test
def what_differs_is_seen_however_long_the_rest_is(w):
    x = diverge(w, 'sh({"sh", "-c", "echo one >> RAN", "%s", strange and "--all" or "--canary"}) mark()' % LONG)
    for words in (("attach", x), ("report", x)):
        said = cli(w, *words, status=1 if words[0] == "attach" else 0)
        assert "--canary" in said and "--all" in said, (words, said)
    same([w.view(x)["steps"][0]["diverged"][k]["arguments"]["argv"][-1] for k in ("recorded", "asked")], ["--canary", "--all"])


@test
def options_that_differ_are_seen(w):
    x = diverge(w, 'sh({"sh", "-c", "echo one >> RAN"}, {effect = strange and "idempotent" or "keyed"}) mark()')
    said = cli(w, "report", x)
    assert "idempotent" in said and "keyed" in said, said
    d = w.view(x)["steps"][0]["diverged"]
    same([d[k]["options"] for k in ("recorded", "asked")], [{"effect": "keyed"}, {"effect": "idempotent"}])


@test
def another_function_is_seen(w):
    x = diverge(w, 'if strange then ask{prompt = "Which one?"} else sh({"sh", "-c", "echo one >> RAN"}) end mark()')
    said = cli(w, "report", x)
    assert "Which one?" in said and "echo one" in said, said
    d = w.view(x)["steps"][0]["diverged"]
    same([d[k]["module"] for k in ("recorded", "asked")], ["sh", "ask"])


@test
def a_call_that_is_not_asked_again_is_shown_as_such(w):
    x = diverge(w, 'if not strange then sh({"sh", "-c", "echo one >> RAN"}) mark() end')
    d = w.view(x)["steps"][0]["diverged"]
    same((d["call"], d["asked"]), (1, None))
    assert "echo one" in d["recorded"]["words"], d
    said = cli(w, "report", x)
    assert "echo one" in said and "without asking" in said, said


@test
def the_second_of_several_calls_is_named(w):
    x = diverge(w, 'for i = 1, 3 do sh({"sh", "-c", "echo " .. i .. " >> RAN", strange and i == 2 and "other" or "same"}) end mark()')
    same(w.view(x)["steps"][0]["diverged"]["call"], 2)
    same(w.ran, ["1", "2", "3", "mark"])


@test
def what_it_was_is_still_told_by_another_engine(w):
    x = diverge(w, ASKS)
    before = w.view(x)["steps"][0]
    w.restart()
    after = w.view(x)["steps"][0]
    same([after[k] for k in ("state", "why", "diverged")], [before[k] for k in ("state", "why", "diverged")])


@test
def a_person_at_the_run_sees_both_and_runs_it_again(w):
    x = diverge(w, ASKS, mode="guided")
    s = w.view(x)["steps"][0]
    same((s["state"], s["diverged"]["call"]), ("diverged", 1))
    os.unlink(w.path("mark"))
    w.client.ask("again", execution=x, step="s0")
    r.deadline(20, "second call", lambda: os.path.exists(w.path("mark")))
    s = w.view(x)["steps"][0]
    same((s["attempt"], s["state"], s["diverged"]), (2, "running", None))
    w.client.ask("cancel", execution=x)
    w.over(x)


@test
def a_step_that_fails_has_diverged_from_nothing(w):
    x = w.run(w.lua('sh{"false"}'))
    s = w.over(x)["steps"][0]
    same((s["state"], s["diverged"]), ("failed", None))
    assert "diverged" not in json.loads(cli(w, "report", x, "--json"))["steps"][0]


sys.exit(run_tests(tests))
