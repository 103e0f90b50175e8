#!/usr/bin/env python3
"""The process that sends messages, taken over: it says what it may not, out of order, too much, or nothing. What it had is unknown, another one is started for the next
message, and the engine is afterwards as it was. SEED=n FRAMES=n"""
# limit: 180
import json, os, shutil, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import hostile as h
import oncall
import rungclient as r
from forkd import variant
from world import run_tests, same

SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
FRAMES = int(os.environ.get("FRAMES", 40))
tests = []


def test(f):
    tests.append(f)
    return f


class HostileOnCall(oncall.OnCall):
    def prepare(self):
        bin = self.path("bin")
        os.mkdir(bin)
        shutil.copy2(os.path.join(r.BUILD, "rung"), bin)
        shutil.copy2(variant("hostile"), os.path.join(bin, "rung-forkd"))
        self.engine.program = os.path.join(bin, "rung")

    def end(self):
        super().end()
        shutil.rmtree(self.path("bin"))


def write_people(w, cases):
    """A person for each list of words of `hostile`; and one who is honest."""
    people = {"honest": ["true"]}
    people.update({"p%d" % i: ["hostile"] + words for i, words in enumerate(cases)})
    w.oncall("defaults: {retries: {timeout: 2s}}\npeople: %s\n" % json.dumps({n: {"channels": [{"command": words}]} for n, words in people.items()}))


def words_of(heads):
    out = []
    for head in heads:
        out += ["printed" if head["t"] == "output" else "frame", json.dumps(head).replace('"$ID"', "$ID")]
    return out + ["wait"]


@test
def frames_malformed_and_out_of_order(w):
    rng = h.seeded(SEED)
    cases, names = [], []
    while len(cases) < FRAMES:
        data = h.malformed(rng, h.ACTOR, h.WORKER).replace(b"$ID", b"1")
        try:
            text = data[8:].decode()
        except UnicodeDecodeError:
            continue
        # What oncall.yaml can say: no control characters, and arguments that are no longer than a file.
        if len(text) < 4000 and data[:8].count(b"\0") < 8 and text.isprintable() and text:
            cases.append(["frame", text, "wait"])
            names.append(text)
    for _ in range(FRAMES):
        heads = h.disorder(rng)
        if len(heads) < 20:
            cases.append(words_of(heads))
            names.append(heads)
    write_people(w, cases)
    wrong = []
    for i, name in enumerate(names):
        ((result, why),) = w.test("p%d" % i)
        heads = name if isinstance(name, list) else []
        ended = [k for k, head in enumerate(heads) if head["t"] in ("finished", "failed") and head.get("id") in ("$ID", 1, 2)]
        # What came whole before the fault counts. (A process that has sent before numbers its calls on.)
        if result != "unknown" and not ended:
            wrong.append((name, result, why))
        if i % 10 == 0:
            # What the last case's process said may arrive when the next message is with it already: that one is unknown, and the one behind it is not.
            r.deadline(30, "an honest message is delivered beside it", lambda: w.test("honest") == [("delivered", None)])
    assert not wrong, "%d, seed %d: %s" % (len(wrong), SEED, wrong[:3])


@test
def one_that_says_too_much_or_nothing(w):
    started = '{"t":"started","id":$ID,"pid":5,"path":"/usr/bin/true"}'
    write_people(w, [["frame", started, "sleep"], ["frame", started, "spin"], ["leave"], ["frame", started, "flood", "3000", "leave"], ["frame", started, "frame", started, "wait"],
                     ["bytes", "x" * 3000, "wait"]])
    with open("/proc/%d/statm" % w.engine.process.pid) as f:
        before = int(f.read().split()[1]) * 4
    for i in range(6):
        ((result, why),) = w.test("p%d" % i)
        same((i, result), (i, "unknown"))
        same(w.test("honest"), [("delivered", None)])
    with open("/proc/%d/statm" % w.engine.process.pid) as f:
        grown = int(f.read().split()[1]) * 4 - before
    assert "build/san" in w.engine.program or grown < 64 << 10, "the engine grew by %d KiB" % grown


if not os.path.exists(variant("hostile")):
    print("ok - hostile frames # skip: no release build of the fork server's variant (make variants)")
    sys.exit(0)
print("# seed %d" % SEED, flush=True)
sys.exit(run_tests(tests, world=HostileOnCall))
