#!/usr/bin/env python3
"""Commands under a receipt, and keyed ones: what is known after an engine, an actor, the shell that keeps the receipt or the command itself was killed at a chosen
moment. A command appends a line to a file outside; that file, not the record, says how often it ran. Then the shell alone, as a remote host would run it.

limit: 240"""
import os, shutil, signal, subprocess, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
sys.dont_write_bytecode = True
import rungclient as r
from awkward import kill_actor, lines, sh, there, touch
from world import run_tests, same

SHELL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "engine", "sandbox", "receipt.sh")
tests = []


def test(f):
    tests.append(f)
    return f


def waiting(w, then="echo after; exit 3", options="effect = 'receipt', check = false"):
    """A step whose command leaves its line, says so and waits for a sign."""
    script = "echo $$ >> %s; echo before; until [ -e %s ]; do sleep 0.02; done; %s" % (w.path("ran"), w.path("go"), then)
    x = w.run(w.lua("local r = %s return {code = r.code, out = r.stdout}" % sh(script, options)))
    there(w.path("ran"))
    return x


def pid_of_command(w):
    r.deadline(20, "the command's number", lambda: lines(w.path("ran")) > 0)
    with open(w.path("ran")) as f:
        return int(f.read().split()[-1])


def kept(w, x):
    return os.path.join(w.folder, "state", "receipts", x)


def started(w, x):
    return [k["d"] for k in w.records(x) if k["k"] == "call.started"]


def why_unknown(w, x):
    return [k["d"]["why"] for k in w.records(x) if k["k"] == "call.unknown"]


def resume(w, x):
    w.restart()
    w.client.ask("resume", execution=x)


@test
def an_outcome_that_no_engine_saw_is_in_the_receipt(w):
    x = waiting(w)
    os.kill(w.engine.process.pid, signal.SIGSTOP)
    touch(w.path("go"))
    there(os.path.join(kept(w, x), "s0.1.1", "finish"))
    resume(w, x)
    same(w.over(x)["state"], "succeeded")
    same(lines(w.path("ran")), 1)
    same(w.view(x)["steps"][0]["result"], {"code": 3, "out": "before\nafter\n"})
    asked = started(w, x)
    same([len(asked), asked[0]["key"], asked[1]["again"]], [2, asked[1]["key"], 1])


@test
def a_command_in_flight_is_unknown_and_never_run_again_by_itself(w):
    x = waiting(w)
    resume(w, x)
    s = w.waits(x, "s0", "resolve")
    same([lines(w.path("ran")), why_unknown(w, x)], [1, ["no_receipt"]])
    facts = s["calls"][0]["unknown"]
    same([s["calls"][0]["state"], facts["output_bytes"] > len("before\n"), facts["stdin_bytes"], facts["env"]], ["unknown", True, 0, []])
    shown = w.client.ask("resolve.show", execution=x, step="s0")
    assert "new receipt" in " ".join(shown["answers"]["again"]), shown
    same([f["settles"] for f in shown["calls"][0]["facts"]], ["begun", None])
    touch(w.path("go"))
    w.client.ask("resolve", execution=x, step="s0", answer="again", reason="it had not come far")
    same(w.over(x)["state"], "succeeded")
    same(lines(w.path("ran")), 2)
    assert [k for k in w.records(x) if k["k"] == "call.resolved"][0]["d"]["shown"]
    keys = [d["key"] for d in started(w, x)]
    same(keys, [keys[0], keys[0], keys[0] + ".1"])


@test
def an_actor_that_dies_leaves_it_unknown(w):
    x = waiting(w)
    kill_actor(w)
    w.waits(x, "s0", "resolve")
    same(lines(w.path("ran")), 1)


@test
def the_shell_of_a_receipt_that_dies_leaves_it_unknown(w):
    x = waiting(w)
    with open(os.path.join(kept(w, x), "s0.1.1", "claim", "who")) as f:
        os.kill(int(f.read().split()[0]), signal.SIGKILL)
    w.waits(x, "s0", "resolve")
    same([lines(w.path("ran")), why_unknown(w, x)], [1, ["no_receipt"]])
    w.client.ask("resolve", execution=x, step="s0", answer="failed", reason="seen")
    w.over(x)


@test
def a_command_that_is_killed_has_a_known_end(w):
    x = waiting(w)
    os.kill(pid_of_command(w), signal.SIGKILL)
    same(w.over(x)["state"], "succeeded")
    same(w.view(x)["steps"][0]["result"], {"code": 137, "out": "before\n"})


@test
def a_deadline_leaves_it_unknown_however_the_effect_is_told(w):
    for effect in ("receipt", "keyed"):
        x = waiting(w, options="effect = '%s', timeout = 0.3" % effect)
        w.waits(x, "s0", "resolve")
        same([lines(w.path("ran")), why_unknown(w, x)], [1, ["deadline"]])
        w.client.ask("cancel", execution=x)
        os.unlink(w.path("ran"))


@test
def what_was_kept_is_removed_when_the_execution_is_over(w):
    x = waiting(w)
    assert os.stat(os.path.dirname(kept(w, x))).st_mode & 0o77 == 0 and os.path.isdir(kept(w, x))
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")
    r.deadline(10, "the receipts to go", lambda: not os.path.exists(kept(w, x)))


@test
def without_room_for_a_receipt_nothing_runs_and_the_call_failed(w):
    shutil.rmtree(os.path.join(w.folder, "state", "receipts"))
    touch(os.path.join(w.folder, "state", "receipts"))
    x = w.run(w.lua(sh("echo >> " + w.path("ran"), "effect = 'receipt'")))
    same(w.over(x)["state"], "failed")
    why = w.view(x)["steps"][0]["why"]
    assert "nothing was run" in why and lines(w.path("ran")) == 0, why


@test
def receipts_that_are_gone_say_nothing_and_nothing_runs(w):
    x = waiting(w)
    w.engine.kill()
    shutil.rmtree(os.path.join(w.folder, "state", "receipts", x))
    os.makedirs(os.path.join(w.folder, "state", "receipts", x, "s0.1.1", "claim"))
    resume(w, x)
    w.waits(x, "s0", "resolve")
    same(lines(w.path("ran")), 1)


@test
def a_keyed_call_is_made_again_with_the_same_key(w):
    script = "echo $RUNG_KEY >> %s; until [ -e %s ]; do sleep 0.02; done" % (w.path("ran"), w.path("go"))
    x = w.run(w.lua("%s %s" % (sh(script, "effect = 'keyed'"), sh("echo $RUNG_KEY >> " + w.path("other"), "effect = 'keyed'"))))
    there(w.path("ran"))
    resume(w, x)
    r.deadline(20, "the second try", lambda: lines(w.path("ran")) == 2)
    touch(w.path("go"))
    same(w.over(x)["state"], "succeeded")
    with open(w.path("ran")) as f:
        keys = f.read().split()
    with open(w.path("other")) as f:
        same([len(set(keys)), f.read().split() == keys[:1]], [1, False])
    same(keys[0], started(w, x)[0]["key"])


# --- the shell alone -------------------------------------------------------------------------------------------------------------------------


def shells():
    return [s for s in ("dash", "bash") if shutil.which(s)]


def shell(kind, folder, name, script, mode="first"):
    with open(SHELL) as f:
        text = f.read()
    return subprocess.Popen([kind, "-c", text, "rung-receipt", mode, folder, "X", name, "/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, start_new_session=True)


def end(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


@test
def many_that_ask_with_one_key_get_one_answer(w):
    for kind in shells():
        folder, ran = w.path("r-" + kind), w.path("ran-" + kind)
        all = [shell(kind, folder, "a.1.1", "echo >> %s; echo out; echo err >&2; sleep 0.2; exit 7" % ran, mode) for mode in ("first", "first", "again", "first")
               if mode == "first" or os.path.isdir(folder)]
        same({end(p) for p in all}, {(7, "out\n", "err\n")})
        same(lines(ran), 1)


@test
def what_it_says_again_is_what_it_said(w):
    for kind in shells():
        folder = w.path("r-" + kind)
        for name, script in (("a.1.1", "printf 'x\\0y'; exit 0"), ("a.1.2", "head -c 300000 /dev/zero | tr '\\0' z; echo e >&2; exit 129"), ("a.1.3", "kill -TERM $$")):
            first = end(shell(kind, folder, name, script))
            same(end(shell(kind, folder, name, "echo no", "again")), first)


@test
def of_much_output_the_first_part_is_kept_and_it_says_so(w):
    folder = w.path("r")
    code, out, err = end(shell("sh", folder, "a.1.1", "head -c 40000000 /dev/zero"))
    same([code, len(out), err], [0, 40000000, ""])
    code, out, err = end(shell("sh", folder, "a.1.1", "echo no", "again"))
    same([code, len(out) in (1 << 24, 1 << 25)], [0, True])
    assert "was not kept" in err, err


@test
def whoever_ends_the_shell_leaves_it_unknown(w):
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR2):
        name = "a.1.%d" % number
        p = shell("sh", w.path("r"), name, "echo >> %s; echo begun; sleep 30" % w.path("ran"))
        kept = os.path.join(w.path("r"), "X", name, "stdout")
        r.deadline(20, "its output", lambda: os.path.exists(kept) and os.path.getsize(kept))
        os.killpg(p.pid, number)
        p.communicate(timeout=60)
        again = end(shell("sh", w.path("r"), name, "echo >> %s" % w.path("ran"), "again"))
        if number == signal.SIGUSR2:
            # It is the command that this ended, and the shell saw that.
            same([p.returncode, again[:2]], [128 + number, (128 + number, "begun\n")])
        else:
            assert p.returncode == -number and again[0] == -signal.SIGUSR1 and again[1] == "begun\n" and "begun" in again[2], (p.returncode, again)
    same(lines(w.path("ran")), 3)


@test
def a_folder_of_receipts_that_has_gone_answers_nothing(w):
    code, _, err = end(shell("sh", w.path("none"), "a.1.1", "echo >> " + w.path("ran"), "again"))
    same([code, lines(w.path("ran")), "not there any more" in err], [-signal.SIGUSR1, 0, True])


@test
def a_disk_that_takes_no_byte_lets_nothing_run(w):
    with open(SHELL) as f:
        text = f.read()
    p = subprocess.run(["sh", "-c", "ulimit -f 0; exec \"$@\"", "sh", "sh", "-c", text, "rung-receipt", "first", w.path("r"), "X", "a.1.1", "/bin/sh", "-c", "echo ran"], capture_output=True)
    same([p.returncode, p.stdout, b"nothing was run" in p.stderr], [-signal.SIGUSR2, b"", True])


sys.exit(run_tests(tests))
