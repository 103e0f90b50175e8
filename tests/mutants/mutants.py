#!/usr/bin/env python3
"""One-line faults, one at a time in a copy of the checkout, each built and met with the suites that should catch it: each must turn one red. `make mutants`.

    mutants.py [WORD...]     those whose names hold one of the words; all without

A fault is the text of a line (unique in its file; a fault that no longer applies is a failure: the list is brought up to date with the code) and what stands there
instead. The suites are tried in turn until one is red. Before the faults every suite named must be green. Prints which test caught what; exit status 1 where one was
missed, or does not apply, or does not build."""
import os, re, shutil, subprocess, sys, tempfile, time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FLOW, STORE, GUARD, VERIFY = "tests/unit/flow/test_flow.c", "tests/unit/store/test_store.c", "tests/unit/store/test_guard.c", "tests/unit/store/test_verify.c"
CRASH, REDACT = "tests/unit/store/test_crash.c", "tests/unit/sandbox/test_redact.c"
ACTOR, LUA, CONFINE, WORKER = ("tests/unit/sandbox/test_%s.c" % w for w in ("actor", "lua", "confine", "worker"))
ENGINE, ATTACK, ATTACK2, RIGHTS = ("tests/engine/test_%s.py" % w for w in ("engine", "attack", "attack2", "rights"))
SIMULATE = "tests/simulate/test_simulate.py"
KILL, ORDER, DIVERGED = "tests/kill/test_kill.py", "tests/kill/test_order.py", "tests/engine/test_diverged.py"
STARVED = "tests/unit/sandbox/test_starved_worker.c"
CLOCK, HOST = "tests/hostile/test_clock.py", "tests/hostile/test_host.py"

OUTCOME, REACH, CAPABILITY = "tests/http/test_outcome.py", "tests/http/test_reach.py", "tests/unit/policy/test_capability.c"

# (name, file, text, instead, suites)
MUTANTS = [
    # promise 1: intent before effect
    ("dispatch before commit", "service/dispatch.c",
     'execution_later(x, dispatch, json_pack("{s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number));',
     'json_t *now = json_pack("{s:I,s:I,s:I}", "step", (json_int_t)c->step, "attempt", (json_int_t)c->attempt, "call", (json_int_t)c->number); dispatch(x, now); json_decref(now);',
     (KILL, ENGINE, ATTACK)),
    # promise 2: outcome before successor
    # (An answer that is sent before its outcome is durable cannot be told from outside: what follows it stands behind the outcome in the writer's queue.)
    ("answers in asking order instead of the recorded one", "flow/replay.c", "c->order == r->delivered + 1 && c->order <= r->recorded;", "c->order >= r->delivered + 1 && c->order <= r->recorded;", (ORDER, KILL, ENGINE)),
    ("the order of delivery is that of asking", "flow/calls.c", "c->order = most + 1;", "c->order = c->number - call_range_base(call_range_of(c->number)) + 0 * most;", (ORDER, KILL)),
    # promise 3: a finished call is never made again
    ("recovery skips the recorded answers", "service/call.c", "return c ? call_of_record(&q, c, e) : new_call(&q, e);", "return c && c->state != CALL_FINISHED ? call_of_record(&q, c, e) : new_call(&q, e);", (KILL, ENGINE)),
    ("a call that differs is taken for the recorded one", "service/call.c", "memcmp(was.data, is.data, is.len) == 0;", "memcmp(was.data, is.data, is.len) == 0; same = same || q->number > 0;", (DIVERGED, ENGINE, ATTACK)),
    ("two questions are shown where they are the same", "service/diverged.c", "if (n <= 2 * SHOWN_BEFORE) return 0;", "if (n > 0) return 0;", (DIVERGED,)),
    ("what a diverged step asked is not kept", "service/attempt.c", "if (outcome == STEP_DIVERGED && a->diverged_asked)", "if (outcome == STEP_DIVERGED && !a->diverged_asked)", (DIVERGED,)),
    # promise 4: in flight is unknown
    ("retry of once", "flow/calls.c", "return effect == EFFECT_READ || effect == EFFECT_IDEMPOTENT;", "return effect != EFFECT_UNSET;", (KILL, ENGINE)),
    ("idempotent waits for a person", "flow/calls.c", "return effect == EFFECT_READ || effect == EFFECT_IDEMPOTENT;", "return effect == EFFECT_READ;", (ENGINE, KILL)),
    ("recovery does not wait for what still runs", "service/begin.c", "lock_wait(x, true, taken_up);", "taken_up(x);", (HOST, KILL, ENGINE)),
    ("a lock that is held counts as free", "service/lock.c", "else if (failpoint(LOCK_TAKE) || flock(fd, LOCK_EX | LOCK_NB) != 0) {", "else if (failpoint(LOCK_TAKE)) {", (HOST, KILL, ENGINE)),
    ("a retry starts while a call is unknown", "flow/flow.c", "s->state = s->unknown_calls ? STEP_UNKNOWN", "s->state = s->unknown_calls > 1 ? STEP_UNKNOWN", (FLOW, ENGINE)),
    # promise 5: fenced
    ("a lease is not checked", "flow/lease.c", "return mine >= held->epoch;", "return mine >= held->epoch || mine > 0;", (SIMULATE, STORE, ATTACK)),
    ("a lease is taken behind a record that was not read", "flow/lease.c", " && claim->last == held->last;", ";", (SIMULATE, STORE)),
    ("more is submitted while a lease is asked for", "flow/lease.c", "return !is_claiming || under_way == 0;", "return !is_claiming || under_way < 100;", (SIMULATE,)),
    ("taking over does not raise the epoch", "service/begin.c", "x->epoch = lease_next(x->epoch);", "", (ENGINE, KILL, ATTACK)),
    ("the epoch of the record is forgotten", "service/fold.c", "if (f->r->kind == RECORD_EXECUTION_RESUMED) x->epoch = lease_read(x->epoch, f->r->epoch);", "", (KILL, ENGINE)),
    # promise 7: timers
    ("no deadline", "flow/flow.c", "s->due_us = timeout ? deadline_clock(ev) + timeout : 0;", "s->due_us = timeout < 0 ? deadline_clock(ev) + timeout : 0;", (FLOW, CLOCK)),
    ("deadlines on the wall clock", "service/execution.c", "flow_decide(x->flow, clock_steady_us(), x->commands", "flow_decide(x->flow, clock_now_us(), x->commands", (CLOCK,)),
    ("a deadline goes on while no engine is there", "flow/flow.c", "if (s->state == STEP_RUNNING) s->due_us += now_us - f->last_us;", "", (FLOW, CLOCK)),
    ("an approval lasts longer when the clock is set back", "base/clock.c", "|| (u->steady_us && now.steady_us >= u->steady_us)", "", (CLOCK,)),
    ("clock.stepped is left out", "store/apply.c", "if (p->tree.size > 0 && t_us < p->last_t_us - CLOCK_STEP_US) err = put_clock_stepped(s, p, t_us, e);", "(void)put_clock_stepped;", (STORE, VERIFY, CLOCK)),
    ("a retry does not wait for its delay", "flow/decide.c", "	if (s->due_us > now_us)", "	if (s->due_us > now_us && now_us < 0)", (SIMULATE, FLOW)),
    # flow
    ("one retry too many", "flow/flow.c", "s->retries_used < book_step(f, i)->retry;", "s->retries_used <= book_step(f, i)->retry;", (FLOW, ENGINE)),
    ("a failed step lets the next one start", "flow/flow.c", "if (s->state == STEP_SUCCEEDED || s->state == STEP_SKIPPED) return true;", "if (s->state == STEP_SUCCEEDED || s->state == STEP_SKIPPED || s->state == STEP_FAILED) return true;", (FLOW, ENGINE)),
    ("goto without end", "flow/decide.c", "if (flow_is_bad(s->state) && s->is_decided && b->on_failure == ON_FAILURE_GOTO && s->goto_used < b->goto_max && s->state != STEP_DIVERGED)", "if (flow_is_bad(s->state) && s->is_decided && b->on_failure == ON_FAILURE_GOTO && s->state != STEP_DIVERGED)", (FLOW, ENGINE)),
    ("paused goes on", "flow/decide.c", "if (stopping || f->is_paused) return d.count;", "if (stopping) return d.count;", (FLOW, ENGINE)),
    # requests
    ("a request is sent again on another connection", "../modules/http/http_hand.c", "if (r->is_sent && !r->repeats) {", "if (r->is_sent && !r->repeats && r->port == 0) {", (OUTCOME,)),
    ("an answer whose head breaks off is whole", "../modules/http/http_hand.c", "if (!kind && !r->answer.is_whole)", "if (!kind && !r->answer.is_whole && r->port == 0)", (OUTCOME,)),
    ("a name may lead to metadata", "../modules/http/http_request.c", "(r->is_named && (r->is_address || is_of_names))", "r->is_named", (REACH,)),
    ("what a star stands for may be on the inside", "policy/capability_host.c", "if (g->pieces[i].kind != PIECE_TEXT && g->pieces[i].kind != PIECE_CHOICE) return false;", "if (g->pieces[i].kind == PIECE_PARAM) return false;", (CAPABILITY, REACH)),
    ("credentials go along to another origin", "../modules/http/http.lua", "if origin(to) ~= origin(result.url) then", "if false then", (REACH,)),
    # store
    ("a record is not in the tree", "store/apply.c", "if (!err) tree_append(&p->tree, &leaf);", "if (!err && p->tree.size % 7 != 6) tree_append(&p->tree, &leaf);", (STORE, VERIFY)),
    ("a failed transaction counts", "store/writer.c", "else if (!sqlite3_get_autocommit(s->db))", "if (err) s->now = *next; if (err && !sqlite3_get_autocommit(s->db))", (STORE, CRASH, HOST)),
    ("a full disk does not release the reserve", "store/writer.c", "if (err == ERR_FULL && reserve_release(s->dir)) {", "if (err == ERR_WAITING && reserve_release(s->dir)) {", (STORE, CRASH, HOST)),
    ("a store that failed goes on", "store/writer.c", "enum err err = s->is_broken ? ERR_IO : check_place(s, &e);", "enum err err = check_place(s, &e);", (STORE, CRASH, HOST)),
    ("an older copy of the store is taken", "store/recover.c", "if (c.size > size)", "if (c.size > size + 1000000)", (GUARD, STORE)),
    ("the guard is not written", "store/writer.c", "if (note->len) guard_write(s->guard, note->data, note->len, &ignored);", "if (!note->len) guard_write(s->guard, note->data, note->len, &ignored);", (GUARD, STORE)),
    # sandbox and what is left behind
    ("a number that was given to another process is killed", "sandbox/holders.c", "bool ended = holders_start_of(pid) == start && syscall(", "bool ended = holders_start_of(pid) != 0 && syscall(", (HOST,)),
    ("a command's deadline is not kept", "sandbox/actor_command.c", "if (timeout > 0) c->deadline_us = c->started_us + timeout;", "if (timeout < 0) c->deadline_us = c->started_us + timeout;", (ACTOR, CLOCK)),
    ("children outlive the actor", "sandbox/actor.c", "\t\tkill_children();", "\t\t(void)kill_children;", (ACTOR, KILL, ATTACK)),
    ("the worker may open files", "sandbox/worker/confine.c", "if (!CONFINE_SANITIZED) out->seccomp = confine_system_calls();", "out->seccomp = filter_length > 0 || confine_system_calls();", ("tests/sandbox/test_escape.py", "tests/sandbox/test_hostile_calls.py")),
    ("Lua's memory is not counted", "sandbox/worker/limit.c", "w->memory_used += new_bytes - old;", "", (LUA, WORKER)),
    ("trees of JSON are not counted", "sandbox/worker/limit.c", "other_used += malloc_usable_size(p);\n\treturn p;", "return p;", (LUA, WORKER, CONFINE, "tests/unit/sandbox/test_limit.c")),
    ("a step catches that there is no memory", "sandbox/worker/limit.c", "if (!p) limit_out_of_memory();", "if (!p) return NULL;", (STARVED,)),
    ("a secret in hex is shown", "sandbox/redact_forms.c", "if (lower || upper) add(w, 1, lower && upper,", "if (lower && upper) add(w, 1, lower && upper,", (REDACT,)),
    # rights of what runs
    ("an approval for other targets counts", "flow/approval.c", 'if (strcmp(binding, p->binding) != 0) return "changed";', 'if (strcmp(binding, p->binding) != 0 && !all) return "changed";', (SIMULATE, RIGHTS)),
    ("one person counts twice", "flow/approval.c", "if (has_given(p, who, now)) return APPROVAL_IS_SECOND;", "if (has_given(p, who, now) && !all) return APPROVAL_IS_SECOND;", (SIMULATE, RIGHTS)),
    ("an approval that has passed counts", "flow/approval.c", 'if (clock_has_passed_at(&p->given[i].until, now)) return "expired";', 'if (clock_has_passed_at(&p->given[i].until, now) && !all) return "expired";', (SIMULATE, CLOCK)),
    ("who drove since has approved", "flow/approval.c", 'if (approval_has_driven(in, p->given[i].by)) return "has_driven";', 'if (approval_has_driven(in, p->given[i].by) && !all) return "has_driven";', (SIMULATE, RIGHTS)),
    ("nobody wakes up when an approval passes", "flow/approval.c", "if (at_us > now.steady_us && at_us < first_us) first_us = at_us;", "if (at_us > now.steady_us && at_us < 0) first_us = at_us;", (SIMULATE,)),
]


class Tree:
    """A copy of the checkout with what is built, outside of it."""

    def __init__(self, folder):
        self.folder = folder
        names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        for name in filter(None, names.decode().split("\0")):
            if not os.path.exists(os.path.join(ROOT, name)):
                continue
            to = os.path.join(folder, name)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), to)
        build = os.path.join(ROOT, os.environ.get("B", "build"))
        for part in ("obj", "lib", "gen", "san/obj", "san/lib", "san/gen", "san/test"):
            if os.path.isdir(os.path.join(build, part)):
                shutil.copytree(os.path.join(build, part), os.path.join(folder, "build", part), symlinks=True)
        self.environment = dict(os.environ, B="build")

    def make(self, suites):
        """What it says where it fails, or None."""
        units = ["build/san/test/" + s[len("tests/unit/"):-2] for s in suites if s.endswith(".c")]
        jobs = "-j%d" % (os.cpu_count() or 1)
        for more in (["SAN=1", "all", "probes"] + units,) + ((["all", "variants", "probes"],) if any(s.endswith(".py") for s in suites) else ()):
            got = subprocess.run(["make", "--no-print-directory", jobs, "B=build"] + more, cwd=self.folder, capture_output=True, text=True)
            if got.returncode != 0:
                return (got.stdout + got.stderr)[-1500:]
        return None

    def suite(self, name):
        """(the first test that failed, or None; what it printed)"""
        os.makedirs(os.path.join(self.folder, "build", "check"), exist_ok=True)
        got = subprocess.run(["sh", "tests/tools/suite.sh", name], cwd=self.folder, env=self.environment, capture_output=True, text=True)
        for left in re.findall(r"what it left is in (/tmp/rung-suite-\S+)", got.stdout):
            shutil.rmtree(left, ignore_errors=True)
        if not got.stdout.startswith("FAIL"):
            return None, got.stdout
        test = re.search(r"not ok[ \d-]*([^:\n]*)", got.stdout)
        return (test.group(1).strip() if test else got.stdout.split("\n")[0]), got.stdout

    def change(self, path, text, instead):
        """Its text before; None where the fault does not apply."""
        whole = os.path.join(self.folder, "engine", path)
        with open(whole) as f:
            before = f.read()
        if before.count(text) != 1:
            return None
        self.put(path, before.replace(text, instead))
        return before

    def put(self, path, text):
        with open(os.path.join(self.folder, "engine", path), "w") as f:
            f.write(text)


def there(suites):
    return [s for s in suites if os.path.exists(os.path.join(ROOT, s))]


def main():
    words = sys.argv[1:]
    mutants = [m for m in MUTANTS if not words or any(w in m[0] for w in words)]
    folder = tempfile.mkdtemp(prefix="rung-mutants-")
    print("# %d faults, in %s" % (len(mutants), folder), flush=True)
    caught, wrong = 0, []
    try:
        tree = Tree(folder)
        suites = sorted({s for m in mutants for s in there(m[4])})
        failed = tree.make(suites)
        assert not failed, "the build failed without any fault:\n" + failed
        for s in suites:
            test, text = tree.suite(s)
            if test:
                print("not ok - %s is red without any fault: %s" % (s, test), flush=True)
                wrong.append(s)
        for name, path, text, instead, suites in mutants:
            suites, start = there(suites), time.monotonic()
            before = tree.change(path, text, instead)
            by = None
            if before is None:
                why = "its line is not in engine/%s, or more than once" % path
            else:
                failed = tree.make(suites)
                why = "it does not build: " + failed if failed else "no suite caught it: " + " ".join(suites)
                for s in suites if not failed else ():
                    test, _ = tree.suite(s)
                    if test and s not in wrong:
                        by = "%s: %s" % (s[len("tests/"):], test)
                        break
                tree.put(path, before)
            took = time.monotonic() - start
            print("%s - %s (%.0f s): %s" % ("ok" if by else "not ok", name, took, "caught by " + by if by else why), flush=True)
            caught += bool(by)
            if not by:
                wrong.append(name)
        print("# %d of %d faults caught" % (caught, len(mutants)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
