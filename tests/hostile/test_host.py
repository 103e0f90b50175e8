#!/usr/bin/env python3
"""A host that runs out, and processes that stand still: an engine, actor, worker or fork server that is stopped for longer than its deadlines; numbers of processes
that were given to strangers; no descriptors, no space, no inodes, no memory; a state directory that cannot be written, and one that is deleted under a running engine.
Nothing foreign is signalled, what was acknowledged is there, whoever asked is told in a sentence, and it goes on when the host has room again; the journal verifies.

It moves into namespaces of mounts and processes, where it mounts its own small file systems and chooses the next number of a process: without root those are skipped.

LONG=1 has stops that outlast what the engine waits for an actor. limit: 120"""
import json, os, resource, shutil, signal, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import rungclient as r
from oracle import alive
from world import World, run_tests, same

ROOT = os.geteuid() == 0
INSIDE = "RUNG_HOSTILE_INSIDE"
RELEASE = os.path.dirname(os.environ.get("RUNG_RELEASE", os.path.abspath("build/rung")))
LONG = os.environ.get("LONG")
tests, with_mounts = [], []


def test(f):
    tests.append(f)
    return f


def mounted(f):
    with_mounts.append(f)
    return f


class Host(World):
    def line(self, text, more=""):
        return 'sh({"sh", "-c", "echo %s >> %s; %s"})' % (text, self.path("oracle"), more or "true")

    def wait_for(self, name):
        """A piece of shell that waits until a file is there."""
        return "until test -e %s; do sleep 0.02; done" % self.path(name)

    def touch(self, name):
        open(self.path(name), "w").close()

    def lines(self):
        try:
            with open(self.path("oracle")) as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def until_line(self, count):
        r.deadline(30, "%d lines" % count, lambda: len(self.lines()) >= count)

    def process(self, kind):
        """The engine's fork server, its only worker, or its only actor."""
        def look():
            boxes, actors = [], []
            for k in self.engine.children():
                try:
                    with open("/proc/%d/cmdline" % k, "rb") as f:
                        text = f.read()
                except OSError:
                    continue
                (actors if b"actor\0" in text else boxes).append(k)
            found = {"forkd": boxes[:1], "worker": boxes[1:], "actor": actors}[kind]
            return found[0] if found else None
        return r.deadline(20, "a process: " + kind, look)

    def why(self, x, id="s0"):
        return next(s for s in self.view(x)["steps"] if s["id"] == id)["why"] or ""

    def limit(self, which, value):
        resource.prlimit(self.engine.process.pid, which, (value, resource.prlimit(self.engine.process.pid, which)[1]))

    def works(self):
        """A run of two commands, from the start to the end."""
        before = len(self.lines())
        same(self.over(self.run(self.lua(self.line("works"), self.line("still"))))["state"], "succeeded")
        same(self.lines()[before:], ["works", "still"])


class Stopped:
    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


# --- processes that stand still -------------------------------------------------------------------------------------------------------------


@test
def an_engine_that_stood_still_settles_what_ended_meanwhile(w):
    x = w.run(w.lua((w.line("a", "exec sleep 1") + " " + 'sh({"sh", "-c", "echo b >> %s; exec sleep 100"}, {timeout = "1s", effect = "read"})' % w.path("oracle"), "timeout=1h")))
    w.until_line(1)
    with Stopped(w.engine.process.pid):
        time.sleep(2.5)  # what is waited for is that its deadlines pass without it
        same(w.lines(), ["a"])  # no successor without the engine
    same(w.over(x)["state"], "failed")
    same(w.lines(), ["a", "b"])
    same([k["d"]["outcome"] for k in w.records(x) if k["k"] == "call.finished"], ["ok", "timeout"])


@test
def a_step_s_time_that_passed_while_the_engine_stood_still_ends_it_once(w):
    x = w.run(w.lua((w.line("a", "exec sleep 100"), "timeout=1s")))
    w.until_line(1)
    with Stopped(w.engine.process.pid):
        time.sleep(2)  # the step's time passes
    v = w.over(x)
    assert v["state"] in ("timed_out", "attention"), v["state"]
    same(w.lines(), ["a"])
    same(w.kinds(x).count("call.started"), 1)


@test
def a_worker_that_stands_still_does_not_hold_its_step(w):
    x = w.run(w.lua(('local n = 0 while true do n = n + 1 end', "timeout=2s")))
    with Stopped(w.process("worker")):
        v = w.over(x, 40)
    assert v["state"] in ("timed_out", "failed"), v["state"]
    w.works()


@test
def an_actor_that_stood_still_keeps_what_its_command_said(w):
    x = w.run(w.lua((w.line("a", "sleep 0.3; echo said") + " " + w.line("b"), "timeout=1h")))
    w.until_line(1)
    with Stopped(w.process("actor")):
        time.sleep(1)  # its command ends meanwhile
        same(w.lines(), ["a"])
    same(w.over(x)["state"], "succeeded")
    same(w.lines(), ["a", "b"])


@test
def an_actor_that_stands_still_beyond_its_deadline_leaves_its_call_unknown(w):
    if not LONG:
        return  # the engine waits ten seconds, twice, before it ends an actor
    x = w.run(w.lua(('sh({"sh", "-c", "echo a >> %s; exec sleep 100"}, {timeout = "1s"})' % w.path("oracle"), "timeout=1h")))
    w.until_line(1)
    with Stopped(w.process("actor")):
        w.waits(x, "s0", "resolve", 60)
    same(w.lines(), ["a"])
    w.client.ask("resolve", execution=x, step="s0", answer="done", result={}, reason="the oracle has its line")
    same(w.over(x)["state"], "succeeded")


@test
def a_fork_server_that_stands_still_fails_what_needs_it_and_is_not_waited_for(w):
    with Stopped(w.process("forkd")):
        x = w.run(w.lua(w.line("a")))
        v = w.over(x, 60)
        same((v["state"], w.lines()), ("failed", []))
        assert w.why(x), v
    w.works()


@test
def nothing_is_settled_while_what_a_dead_engine_started_still_runs(w):
    """Its actor stands still, so that the command goes on without either: recovery waits for the lock that the command holds, and ends it in the end."""
    x = w.run(w.lua((w.line("a", "exec sleep 1000"), "timeout=1h effect=once")))
    w.until_line(1)
    running = alive(x)
    assert running, "the command carries no mark"
    os.kill(w.process("actor"), signal.SIGSTOP)
    w.engine.kill()
    w.client.close()
    w.engine.start()
    w.client = w.engine.client()
    w.client.ask("resume", execution=x)

    def is_settled():
        left = alive(x) & running
        kinds = w.kinds(x)
        assert not (left and "call.unknown" in kinds), "call.unknown was recorded while %r ran" % left
        return "call.unknown" in kinds
    r.deadline(40, "call.unknown", is_settled)
    w.client.ask("cancel", execution=x, reason="enough")
    w.over(x)


# --- descriptors and memory -----------------------------------------------------------------------------------------------------------------


@test
def a_fork_server_that_ends_twice_in_a_row_is_replaced_and_one_that_always_ends_fails_the_step(w):
    """It stands beside a program of the test's own place, where it ends at once as often as a file says."""
    place = w.path("bin")
    os.mkdir(place)
    shutil.copy(os.path.join(r.BUILD, "rung"), place)
    with open(os.path.join(place, "rung-forkd"), "w") as f:
        f.write("#!/bin/sh\nread n <%s/ends && [ $n -gt 0 ] && echo $((n - 1)) >%s/ends && exit 1\nexec %s/rung-forkd\n" % (place, place, os.path.abspath(r.BUILD)))
    os.chmod(os.path.join(place, "rung-forkd"), 0o755)

    def ends(n):
        with open(os.path.join(place, "ends"), "w") as f:
            f.write("%d\n" % n)
        os.kill(w.process("forkd"), signal.SIGKILL)
    ends(0)
    w.engine.program = os.path.join(place, "rung")
    w.restart()
    ends(2)
    same(w.over(w.run(w.lua("return {n = 1}")))["state"], "succeeded")
    ends(100)
    step = w.over(w.run(w.lua("return {n = 1}")))["steps"][0]
    same((step["state"], step["why"]), ("failed", "the fork server ends as soon as it is started: %s/rung-forkd" % place))
    with open(os.path.join(place, "ends"), "w") as f:
        f.write("0\n")
    same(w.over(w.run(w.lua("return {n = 1}")))["state"], "succeeded")


@test
def with_no_descriptor_left_steps_fail_with_a_sentence_and_clients_wait(w):
    w.works()
    held = resource.prlimit(w.engine.process.pid, resource.RLIMIT_NOFILE)[0]
    used = len(os.listdir("/proc/%d/fd" % w.engine.process.pid))
    book = w.lua(w.line("a"))
    for room in range(0, 8):
        w.limit(resource.RLIMIT_NOFILE, used + room)
        before = len(w.lines())
        try:
            x = w.run(book)
            w.step(x, "s0", lambda s: s["state"] not in ("pending", "ready", "running"), 40)
            v = w.view(x)
            made = len(w.lines()) - before
            assert made == (v["state"] == "succeeded") or v["state"] == "attention", "%d lines, and it is %s" % (made, v["state"])
            assert v["state"] == "succeeded" or w.why(x), v
        except r.Refused as e:
            assert e.text, e
    later = [w.engine.client() for _ in range(3)]  # the kernel lets them connect; the engine lets them in when it can
    w.limit(resource.RLIMIT_NOFILE, held)
    for c in later:
        same(c.ask("hello", timeout=30)["principal"], w.client.ask("hello")["principal"])
        c.close()
    w.works()


@test
def little_memory_ends_the_engine_cleanly_or_not_at_all(w):
    w.engine.stop()
    w.engine.program = os.path.join(RELEASE, "rung")  # sanitizers need terabytes of addresses
    big = w.lua(('local s = sh("head -c 9000000 /dev/zero | tr \\"\\\\0\\" x").stdout return {n = #s}', "effect=read"), ('ask("?")', ""), permissions=("sh sh -c *",))
    w.engine.start()
    ended = 0
    w.client = w.engine.client()
    with open("/proc/%d/statm" % w.engine.process.pid) as f:
        size = int(f.read().split()[0]) * 4096
    for more in (2, 8, 20, 40, 80):
        w.limit(resource.RLIMIT_AS, size + (more << 20))
        x = None
        try:
            x = w.run(big)
            w.step(x, "s0", lambda s: s["state"] not in ("pending", "ready", "running"), 40)
        except (r.Closed, OSError):
            ended += 1
            r.deadline(30, "the engine that has let go of its client to end", lambda: w.engine.process.poll() is not None)
        except r.Refused as e:
            assert e.text, e
        if w.engine.process.poll() is None:
            w.limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
            continue
        assert w.engine.process.returncode != -signal.SIGSEGV, "the engine crashed"
        w.client.close()
        w.engine.start()
        w.client = w.engine.client()
        same(w.engine.verify().returncode, 0)
        if x:
            w.client.ask("resume", execution=x)
            w.waits(x, "s1", "answer", 40)
    print("# little memory ended the engine %d times" % ended)
    w.works()


# --- a state directory that goes ------------------------------------------------------------------------------------------------------------


@test
def an_engine_whose_state_is_deleted_stops_and_acknowledges_nothing_more(w):
    x = w.run(w.lua((w.line("a", w.wait_for("go")) + " " + w.line("b"), "timeout=1h")))
    w.until_line(1)
    shutil.rmtree(w.engine.state)
    w.touch("go")
    r.deadline(30, "the engine to end", lambda: w.engine.process.poll() is not None)
    same(w.engine.process.returncode, 1)
    same(w.lines(), ["a"])  # what comes next has no intent that anyone could read
    with open(os.path.join(w.folder, "engine.log")) as f:
        assert "store.db" in f.read()


# --- in namespaces of our own ---------------------------------------------------------------------------------------------------------------


class Small(Host):
    """State on a file system of its own."""
    options = "size=90m"

    def prepare(self):
        self.disk = self.path("disk")
        os.mkdir(self.disk)
        subprocess.run(["mount", "-t", "tmpfs", "-o", self.options, "none", self.disk], check=True)
        self.engine.state = os.path.join(self.disk, "state")

    def fill(self, leave=0):
        """A file that takes all that is left, but for some bytes."""
        free = os.statvfs(self.disk)
        with open(os.path.join(self.disk, "fill"), "ab") as f:
            try:
                os.posix_fallocate(f.fileno(), f.tell() if f.tell() else 0, max(1, f.tell() + free.f_bavail * free.f_frsize - leave))
            except OSError:
                pass

    def empty(self):
        os.unlink(os.path.join(self.disk, "fill"))

    def has_reserve(self):
        return os.path.exists(os.path.join(self.engine.state, "reserve"))


@mounted
def on_a_full_disk_what_is_open_comes_to_its_end_from_the_reserve(w):
    steps = [w.line("%d" % i, w.wait_for("go") if i == 0 else "head -c 3000 /dev/urandom | od -An -tx1") for i in range(20)]
    x = w.run(w.lua(*steps))
    w.until_line(1)
    assert w.has_reserve()
    w.fill()
    w.touch("go")
    same(w.over(x, 60)["state"], "succeeded")
    same(w.lines(), ["%d" % i for i in range(20)])
    assert not w.has_reserve(), "nothing was written that needed it: this proves nothing"
    same(w.kinds(x)[-1], "execution.finished")


@mounted
def with_the_reserve_spent_too_it_says_so_and_goes_on_when_there_is_room(w):
    go = w.path("go")
    x = w.run(w.lua((w.line("a", w.wait_for("go")), "timeout=1h"), w.line("b")))
    w.until_line(1)
    book = w.lua(w.line("c", "head -c 400000 /dev/urandom | od -An -tx1"))
    refused = None
    for _ in range(400):
        w.fill()
        try:
            w.run(book)
        except r.Refused as e:
            refused = e
            break
        time.sleep(0.02)
    assert refused and refused.kind == "full", refused
    assert "full" in refused.text or "space" in refused.text, refused.text
    assert w.engine.process.poll() is None
    open(go, "w").close()
    w.empty()
    view = w.view(x)
    if view["interrupted"]:
        w.client.ask("resume", execution=x)
    v = w.over(x, 60)
    if v["state"] == "attention":  # its command ended while nothing could be recorded
        w.client.ask("resolve", execution=x, step="s0", answer="done", result={}, reason="the oracle has its line")
        v = w.over(x, 60)
    same(v["state"], "succeeded")
    same([l for l in w.lines() if l != "c"], ["a", "b"])
    w.works()


class FewInodes(Small):
    options = "size=200m,nr_inodes=60"

    def fill(self, leave=0):
        for i in range(100):
            try:
                open(os.path.join(self.disk, "fill%d" % i), "x").close()
            except FileExistsError:
                pass
            except OSError:
                return

    def empty(self):
        for name in os.listdir(self.disk):
            if name.startswith("fill"):
                os.unlink(os.path.join(self.disk, name))


def with_no_inode_left_a_step_fails_with_a_sentence(w):
    w.works()
    w.fill()
    x = w.run(w.lua(w.line("a")))
    v = w.over(x)
    same((v["state"], [l for l in w.lines() if l == "a"]), ("failed", []))
    assert "space" in w.why(x) or "full" in w.why(x), w.why(x)
    w.empty()
    w.works()


def a_state_that_cannot_be_written_is_said_at_the_start(w):
    w.works()
    w.engine.stop()
    subprocess.run(["mount", "-o", "remount,ro", w.disk], check=True)
    got = subprocess.run([w.engine.program, "engine", "--state", w.engine.state], env=w.engine.environment(), capture_output=True, text=True, timeout=30)
    assert got.returncode not in (0, -signal.SIGSEGV) and "ead-only" in got.stderr, got
    subprocess.run(["mount", "-o", "remount,rw", w.disk], check=True)
    w.engine.start()
    w.client = w.engine.client()
    w.works()


def next_pid(pid):
    with open("/proc/sys/kernel/ns_last_pid", "w") as f:
        f.write("%d" % (pid - 1))


def stranger_as(pid):
    """A process of ours that has just this number."""
    for _ in range(200):
        next_pid(pid)
        p = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        if p.pid == pid:
            return p
        p.kill()
        p.wait()
    raise AssertionError("the number %d could not be had" % pid)


def numbers_that_were_given_to_strangers_are_left_alone(w):
    """Actor, worker, command: all die with the engine, and somebody else gets their numbers, while a process that left their group still holds the lock, so that
    recovery looks for what to end. The stranger that has the actor's number would be the first."""
    x = w.run(w.lua((w.line("a", "setsid sh -c 'echo $$ > %s; exec sleep 1000' & exec sleep 1000" % w.path("left")), "timeout=1h effect=once")))
    w.until_line(1)
    left = r.deadline(20, "what leaves its group", lambda: os.path.exists(w.path("left")) and open(w.path("left")).read().strip())
    pids = [w.engine.process.pid] + w.engine.children()
    assert len(pids) >= 5, pids
    held = int(left)
    # The actor first, without a chance to end what it started.
    for pid in [w.process("actor")] + [p for p in pids if p != held]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    w.engine.process.wait()
    gone = [p for p in pids if p != held]
    r.deadline(20, "them to be gone", lambda: not any(os.path.exists("/proc/%d" % p) for p in gone))
    strangers = [stranger_as(p) for p in gone]
    w.client.close()
    next_pid(30000)
    try:
        w.engine.start()
        w.client = w.engine.client()
        w.client.ask("resume", execution=x)
        w.waits(x, "s0", "resolve", 40)
        assert not os.path.exists("/proc/%d" % held) or open("/proc/%d/stat" % held).read().split()[2] == "Z", "what held the lock still runs"
        for s in strangers:
            assert s.poll() is None, "the stranger with the number %d was signalled: %r" % (s.pid, s.returncode)
    finally:
        for s in strangers:
            s.kill()
            s.wait()
    w.client.ask("cancel", execution=x, reason="enough")
    w.over(x)


def in_namespaces():
    status = run_tests(with_mounts, world=Small)
    status |= run_tests([a_state_that_cannot_be_written_is_said_at_the_start], world=Small)
    status |= run_tests([with_no_inode_left_a_step_fails_with_a_sentence], world=FewInodes)
    status |= run_tests([numbers_that_were_given_to_strangers_are_left_alone], world=Host)
    # Once more where commands have no control group: what is left is found by its number and its start, and by what it holds.
    for place in [l.split()[4] for l in open("/proc/self/mountinfo") if " - cgroup2 " in l]:
        subprocess.run(["umount", "-l", place], check=True)
    return status | run_tests([numbers_that_were_given_to_strangers_are_left_alone, nothing_is_settled_while_what_a_dead_engine_started_still_runs], world=Host)


def main():
    if os.environ.get(INSIDE):
        return in_namespaces()
    status = run_tests(tests, unverified=(an_engine_whose_state_is_deleted_stops_and_acknowledges_nothing_more,), world=Host)
    # sh is the first process there, and takes in those whose parents have gone.
    inside = ["unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child", "sh", "-c", '"$@" & wait $!', "-"]
    if not ROOT or subprocess.run(inside + ["true"], capture_output=True).returncode != 0:
        print("ok - # skipped: file systems and numbers of processes of our own need root")
        return status
    return status | subprocess.run(inside + [sys.executable] + sys.argv, env=dict(os.environ, **{INSIDE: "1"})).returncode


if __name__ == "__main__":
    sys.exit(main())
