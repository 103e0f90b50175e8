#!/usr/bin/env python3
"""Workers and actors that send what no good one would, beside honest ones: each is ended, its attempt gets the outcome that it should, nothing else notices, and
the engine is afterwards as it was.

limit: 600"""
import json, os, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import hostile as h
import rungclient as r
from forkd import variant
from hostile import lua
from world import run_tests, same

SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
FRAMES = int(os.environ.get("FRAMES", 1000))
AT_ONCE, STEPS = 4, 25
FREE = 'needs="" on_failure=continue'
tests = []


def test(f):
    tests.append(f)
    return f


def processes_are_gone(w):
    r.deadline(30, "the processes of the executions to be gone", lambda: len(w.engine.children()) == 1)


def measure(w):
    """(descriptors, KiB resident) of an engine at rest; without those of the store, whose readers are opened as they are needed, one for each thread at most."""
    processes_are_gone(w)
    pid = w.engine.process.pid
    folder = "/proc/%d/fd/" % pid
    descriptors = []
    for fd in os.listdir(folder):
        try:
            descriptors.append(os.readlink(folder + fd))
        except OSError:
            pass  # closed meanwhile
    descriptors = [d for d in descriptors if "/store.db" not in d]
    with open("/proc/%d/statm" % pid) as f:
        return len(descriptors), int(f.read().split()[1]) * 4


def book(w, sources, attributes=FREE, permissions=("sh true", "sh sleep *", "sh echo *", "sh hostile **")):
    return w.lua(*[(s, attributes) for s in sources], permissions=permissions)


def steps_of(w, x, timeout=120):
    r.wait_over(w.client, x, timeout)
    return w.view(x)["steps"]


def one(w, source, attributes=FREE, timeout=60):
    return steps_of(w, w.run(book(w, [source], attributes)), timeout)[0]


class Honest(threading.Thread):
    """Executions that do their work while others do not."""

    SOURCE = """local n = 0
for i = 1, 5 do n = n + #sh({"echo", "line " .. i}, {effect = "read"}).stdout end
log.info("counted " .. n)
return {n = n}"""

    def __init__(self, w):
        super().__init__(daemon=True)
        self.w, self.client, self.stop, self.done, self.wrong = w, w.engine.client(), False, 0, None
        self.book = book(w, [self.SOURCE, "return {twice = steps.s0.n * 2}"], "")

    def run(self):
        try:
            while not self.stop or self.done == 0:
                x = self.client.ask("run", book=self.book, mode="auto", declared=True)["execution"]
                v = r.wait_over(self.client, x, 60)
                got = v["state"], [s.get("result") for s in v["steps"]]
                if got[0] != "succeeded":
                    self.wrong = got
                self.done += 1
        except Exception as e:
            self.wrong = repr(e)

    def end(self):
        self.stop = True
        self.join(90)
        self.client.close()
        assert not self.is_alive() and self.done, "no honest execution came to its end"
        assert self.wrong is None, "an honest execution ended as %s" % (self.wrong,)


def at_once(w, work):
    """work(client) in several threads; what one of them raises is raised here."""
    raised = []

    def run(client):
        try:
            work(client)
        except Exception as e:
            raised.append(e)

    # A client connects from within the state directory: one after another.
    clients = [w.engine.client() for _ in range(AT_ONCE)]
    threads = [threading.Thread(target=run, args=(client,)) for client in clients]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for client in clients:
        client.close()
    if raised:
        raise raised[0]


def attack(w, cases):
    """cases: (name, Lua, the state that the step ends in). Several executions of many steps at once."""
    waiting = [cases[i:i + STEPS] for i in range(0, len(cases), STEPS)]
    lock, wrong = threading.Lock(), []

    def work(client):
        while True:
            with lock:
                if not waiting:
                    break
                mine = waiting.pop()
                path = book(w, [c[1] for c in mine])
            x = client.ask("run", book=path, mode="auto", declared=True)["execution"]
            v = r.wait_over(client, x, 120)
            for (name, _, state), s in zip(mine, v["steps"]):
                if s["state"] != state or (state == "failed" and name and "it did not work" not in s["why"] and
                                           (not s["why"].startswith("the worker ended: ") or "was killed" in s["why"])):
                    wrong.append((name, s["state"], s.get("why")))

    at_once(w, work)
    assert not wrong, "%d of %d, seed %d: %s" % (len(wrong), len(cases), SEED, wrong[:3])


def said(data):
    return "hostile.bytes(%s) hostile.wait()" % lua(data)


def is_short(data):
    return len(data) < 12000


def malformed_cases(rng, n):
    out = []
    while len(out) < n:
        data = h.malformed(rng, h.WORKER, h.ACTOR)
        if is_short(data):
            out.append((repr(data[:200]), said(data), "failed"))
    return out


def disorder_cases(rng, n):
    out = []
    for _ in range(n):
        heads, state = h.out_of_order(rng)
        out.append((json.dumps(heads)[:300], said(b"".join(h.frame(head) for head in heads)), state))
    return out


@test
def frames_of_workers_malformed_and_out_of_order(w):
    print("# seed %d" % SEED)
    rng = h.seeded(SEED)
    honest = Honest(w)
    honest.start()
    attack(w, malformed_cases(rng, STEPS) + disorder_cases(rng, STEPS))  # until everything is there that an engine makes once
    began = time.monotonic()
    attack(w, malformed_cases(rng, FRAMES))
    attack(w, disorder_cases(rng, FRAMES))
    honest.end()
    print("# %d malformed and %d out-of-order frames in %.1f s, beside %d honest executions" % (FRAMES, FRAMES, time.monotonic() - began, honest.done))


@test
def nothing_of_it_stays_in_the_engine(w):
    rng = h.seeded(SEED + 1)
    for _ in range(2):
        attack(w, malformed_cases(rng, 100) + disorder_cases(rng, 100))
    descriptors, before = measure(w)
    attack(w, malformed_cases(rng, 200) + disorder_cases(rng, 200))
    # Connections of clients that have gone are closed a moment later.
    after = r.deadline(20, "the engine to have no more descriptors than before", lambda: (measure(w) if measure(w)[0] <= descriptors else None))
    # A sanitizer build keeps what was freed for a while.
    room = 16 if "san" not in w.build else 256
    assert after[1] - before < room << 10, "the engine grew from %d to %d KiB" % (before, after[1])
    print("# %d descriptors; %d KiB before, %d KiB after 400 attempts" % (descriptors, before, after[1]))


@test
def long_headers_and_values(w):
    log, value = '{"t":"log","level":"info","text":"%s"}', '{"t":"end","outcome":"succeeded","value":%s}'
    cases = []
    for text, unit, count in ((log, "x", 262153), (log, "\\n", 262153), (log, "\\u0041", 180000), (value % '["%s"]', "x", 262144), (value % "[%s1]", "[],", 90000),
                              ("%s", "[", 1 << 20), ("%s", '{"a":', 200000), ("%s", " ", 1 << 20), ('{"t":"log"%s}', ',"t":"log"', 90000),
                              ('{%s"t":"log","level":"info","text":"x"}', '"a":[],', 140000)):
        before, after = text.split("%s")
        cases.append(("%d times %s" % (count, unit), "hostile.frame(%s .. (%s):rep(%d) .. %s) hostile.wait()" % (lua(before), lua(unit), count, lua(after)), "failed"))
    attack(w, cases)


@test
def words_before_it_is_ready(w):
    path = os.path.join(w.folder, "bin", "first-words-worker")
    for heads in ([h.LOG], [h.SH], [h.IDLE], [h.DONE], [h.READY], [h.BROKEN]):
        with open(path, "wb") as f:
            f.write(b"".join(h.frame(head) for head in heads))
        s = one(w, "return 1")
        same(s["state"], "failed")
        assert s["why"].startswith("the worker ended: "), s["why"]
    os.unlink(path)
    same(one(w, "return 1")["state"], "succeeded")


@test
def right_frames_byte_by_byte_are_right(w):
    good = b"".join(h.frame(head) for head in (h.LOG, h.SH, h.IDLE))
    s = one(w, "hostile.slowly(%s) hostile.read() hostile.slowly(%s) hostile.wait()" % (lua(good), lua(h.frame(h.DONE))))
    same(s["state"], "succeeded")


@test
def a_worker_that_closes_at_each_byte(w):
    good = h.frame(h.LOG) + h.frame(h.DONE)
    cases = [("", "hostile.bytes(%s) hostile.leave()" % lua(good[:cut]), "failed") for cut in range(len(good))]
    cases.append(("", "hostile.bytes(%s) hostile.leave()" % lua(good), "succeeded"))
    attack(w, cases)


@test
def a_question_is_open_when_it_breaks_the_rules(w):
    s = one(w, said(h.frame(h.ASK) + h.frame(dict(h.SH, c=9))))
    same(s["state"], "failed")
    s = one(w, said(h.frame(h.ASK) + h.frame(dict(h.IDLE, open=2))))
    same(s["state"], "failed")


@test
def calls_that_nobody_could_make_fail_alone(w):
    """Of the protocol, and yet nothing that a right could be matched against: the step sees an error that it can catch."""
    s = one(w, 'local ok, e = pcall(sh, {"echo", "\\xff"}) local ok2, e2 = pcall(sh, {"true"}, {cwd = "/\\xff"}) log.info(e.why, e2.why) '
               'return {a = tostring(e.why), b = tostring(e2.why), ok = ok or ok2}')
    same(s["state"], "succeeded")
    many = one(w, 'local t = {"echo"} for i = 1, 4200 do t[#t + 1] = "x" end local ok, e = pcall(sh, t) expect(not ok and e.why:find("4096"), "no error")')
    same((many["state"], many.get("why")), ("succeeded", None))


@test
def errors_that_a_step_has_tampered_with(w):
    """Plain Lua can change what it caught and raise it again: an honest worker never says what the engine would end it for."""
    for tampering in ('e.kind = "nonsense"', 'e.line = 1 << 40', 'e.line = -1', 'e.chunk = "/etc/shadow"', "e.call = -5", "e.call = 1 << 50", 'e.reason = "\\27[2J"',
                      'e.reason = ("x"):rep(100000)', 'e.why = ("\\255"):rep(70000)', 'e.kind = "go"', 'e.kind = "go" e.to = "\\0\\27"', "e.why = {}", "e.to = 5"):
        s = one(w, 'local ok, e = pcall(sh, {"false"}) %s error(e, 0)' % tampering)
        assert s["state"] in ("failed", "denied") and "the worker ended" not in (s.get("why") or ""), (tampering, s["state"], s.get("why"))


@test
def endless_logs_and_arguments_are_bounded(w):
    w.client.ask("run", book=book(w, ["return 1"]), mode="auto", declared=True)
    _, before = measure(w)
    s = one(w, 'local t = ("x"):rep(262144) for i = 1, 400 do hostile.frame(\'{"t":"log","level":"info","text":"\' .. t .. \'"}\') end hostile.bytes(%s)'
               " hostile.wait()" % lua(h.frame(h.DONE)), timeout=120)
    same(s["state"], "succeeded")
    s = one(w, 'local t = ("x"):rep(700000) for i = 1, 1000 do hostile.frame(\'{"t":"call","c":\' .. i .. \',"part":"action","module":"sh","function":"run",'
               '"arguments":{"argv":["true"],"stdin":"\' .. t .. \'"},"options":{"effect":"read"}}\') end hostile.wait()', timeout=120)
    same(s["state"], "failed")
    assert "64 MiB" in s["why"], s["why"]
    _, after = measure(w)
    assert after - before < 600 << 10, "the engine grew from %d to %d KiB" % (before, after)


# --- actors ----------------------------------------------------------------------------------------------------------------------------------


def command(*words, options='effect = "once"'):
    return "sh({%s}, {%s})" % (", ".join(lua(word) for word in ("hostile",) + words), options)


def words_of(heads):
    out = []
    for head in heads:
        out += ["printed" if head["t"] == "output" else "frame", json.dumps(head).replace('"$ID"', "$ID")]
    return out + ["wait"]


def unknown_then_cancelled(w, client, source):
    """The call is unknown, whatever the actor claimed; a person ends the execution."""
    x = client.ask("run", book=book(w, [source], ""), mode="auto", declared=True)["execution"]
    v = r.wait_over(client, x, 60)
    got = v["steps"][0]["state"], v["steps"][0].get("why")
    if got[0] == "unknown":
        client.ask("cancel", execution=x)
    return got


@test
def frames_of_actors_malformed_and_out_of_order(w):
    rng = h.seeded(SEED + 2)
    honest = Honest(w)
    honest.start()
    cases = []
    while len(cases) < FRAMES // 10:
        data = h.malformed(rng, h.ACTOR, h.WORKER).replace(b"$ID", b"1")
        if is_short(data) and b"\0" not in data[8:] and data[:8].count(b"\0") < 8:
            text = data[8:]
            try:
                cases.append((repr(data[:200]), command("frame", text.decode(), "wait")))
            except UnicodeDecodeError:
                continue
    for _ in range(FRAMES // 10):
        heads = h.disorder(rng)
        cases.append((json.dumps(heads), command(*words_of(heads))))
    lock, wrong = threading.Lock(), []

    def work(client):
        while True:
            with lock:
                if not cases:
                    break
                name, source = cases.pop()
            state, why = unknown_then_cancelled(w, client, source)
            # What came whole before the fault counts: a call that had "finished" is finished.
            heads = json.loads(name) if name.startswith("[") else []
            ended = [i for i, head in enumerate(heads) if head["t"] in ("finished", "failed") and head.get("id") == "$ID" and not head.get("cancelled")]
            settled = bool(ended) and [head["t"] for head in heads[:ended[0]]] in (["started"], []) and (heads[ended[0]]["t"] == "failed") == (ended[0] == 0)
            if (state not in ("succeeded", "failed")) if settled else state != "unknown":
                wrong.append((name, state, why))

    at_once(w, work)
    honest.end()
    assert not wrong, "%d, seed %d: %s" % (len(wrong), SEED, wrong[:3])
    processes_are_gone(w)


@test
def a_reading_call_of_a_hostile_actor_is_made_again_and_fails_at_last(w):
    s = one(w, command("frame", '{"t":"nonsense"}', "wait", options='effect = "read"'))
    same(s["state"], "failed")
    assert "the process that runs commands ended" in s["why"], s["why"]


@test
def an_actor_that_speaks_before_it_is_ready(w):
    path = os.path.join(w.folder, "bin", "first-words-actor")
    for heads in ([h.STARTED], [{"t": "ready", "pid": 1, "uid": 0}], [h.NOT_STARTED]):
        with open(path, "wb") as f:
            f.write(b"".join(h.frame(head) for head in heads))
        same(one(w, 'sh({"true"}, {effect = "read"})')["state"], "failed")
    os.unlink(path)
    same(one(w, 'sh{"true"}')["state"], "succeeded")


@test
def right_frames_of_an_actor_byte_by_byte_are_right(w):
    started, finished = (json.dumps(dict(head, id="$ID")).replace('"$ID"', "$ID") for head in (h.STARTED, h.FINISHED))
    # The prefix of a frame has zero bytes, which no word can hold: the header alone comes slowly.
    s = one(w, 'return {code = %s.code}' % command("frame", started, "printed", json.dumps(dict(h.OUTPUT, id="$ID")).replace('"$ID"', "$ID"), "frame", finished, "wait"))
    same(s["state"], "succeeded")


@test
def endless_output_is_bounded(w):
    _, before = measure(w)
    started, finished = (json.dumps(dict(head, id="$ID")).replace('"$ID"', "$ID") for head in (h.STARTED, h.FINISHED))
    s = one(w, 'local r = %s return {n = #r.stdout, truncated = r.is_truncated}' % command("frame", started, "flood", "6400", "frame", finished, "wait"), timeout=120)
    same(s["state"], "succeeded")
    _, after = measure(w)
    assert after - before < 600 << 10, "the engine grew from %d to %d KiB" % (before, after)


# --- those that do not keep their limits -------------------------------------------------------------------------------------------------------


@test
def what_does_nothing_or_too_much_is_ended_by_the_engine(w):
    called = h.frame(h.SH) + h.frame(h.IDLE)
    cases = {
        "hostile.sleep()": "did nothing", "hostile.eat()": "did nothing",
        # Never reads its answer.
        "hostile.bytes(%s) hostile.sleep()" % lua(called): "did nothing",
        # Its question is open, so that the step has no deadline; it does not say that it waits.
        "hostile.bytes(%s) hostile.sleep()" % lua(h.frame(h.ASK)): "did nothing",
        "hostile.bytes(%s) hostile.spin()" % lua(h.frame(h.ASK)): "computed for more",
    }
    began = time.monotonic()
    x = w.run(book(w, list(cases)))
    # With a question open, the execution waits for a person.
    r.deadline(180, "all of them to be ended", lambda: all(s["state"] not in ("pending", "ready", "running", "waiting") for s in w.view(x)["steps"]), 0.2)
    steps = w.view(x)["steps"]
    for (source, why), s in zip(cases.items(), steps):
        same(s["state"], "failed")
        assert why in s["why"], (source[:40], s["why"])
    assert time.monotonic() - began < 120
    processes_are_gone(w)


@test
def a_deadline_ends_them(w):
    began = time.monotonic()
    for s in steps_of(w, w.run(book(w, ["hostile.spin()", "hostile.sleep()", "hostile.eat()"], FREE + " timeout=2s")), 60):
        same(s["state"], "timed_out")
    assert time.monotonic() - began < 15
    processes_are_gone(w)


@test
def a_condition_and_a_proof_that_never_end_are_ended(w):
    path = w.book([{"fences": [("hostile.sleep()", "lua {if}"), ("return 1", "lua {id=a timeout=2s}")]}])
    (s,) = steps_of(w, w.run(path), 60)
    same(s["state"], "failed")


@test
def an_actor_that_ends_nothing_is_ended(w):
    started = json.dumps(dict(h.STARTED, id="$ID")).replace('"$ID"', "$ID")
    # The step's deadline, and the call's own.
    running = [w.run(book(w, [command("frame", started, "sleep")], "timeout=1s")),
               w.run(book(w, [command("frame", started, "sleep", options='effect = "once", timeout = 1')], ""))]
    for x in running:
        same(steps_of(w, x, 90)[0]["state"], "unknown")


if not os.path.exists(variant("hostile")):
    print("ok - hostile frames # skip: no release build of the fork server's variant (make variants)")
    sys.exit(0)
sys.exit(run_tests(tests, world=h.HostileWorld))
