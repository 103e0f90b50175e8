"""Frames that no good worker and no good actor would send (engine/sandbox/wire.h), from a seed; and an engine whose fork server sends them."""
import json, os, random, shutil, struct

import rungclient as r
from forkd import variant
from world import World

BIG = 1 << 63


class HostileWorld(World):
    """An engine of the build at hand with the fork server that does what it is told (tests/sandbox/forkd_hostile.c): always a release build, so confined."""

    build = r.BUILD

    def prepare(self):
        bin = os.path.join(self.folder, "bin")
        os.mkdir(bin)
        shutil.copy2(os.path.join(self.build, "rung"), bin)
        shutil.copy2(variant("hostile"), os.path.join(bin, "rung-forkd"))
        self.engine = r.Engine(self.folder, build=bin)

    def end(self):
        super().end()
        shutil.rmtree(os.path.join(self.folder, "bin"))


def lua(data):
    """Bytes or a text as a Lua string."""
    return '"' + "".join("\\%03d" % c if c < 32 or c > 126 or c in b'"\\' else chr(c) for c in (data.encode() if isinstance(data, str) else data)) + '"'


def framed(text, payload=b""):
    text = text.encode() if isinstance(text, str) else text
    return struct.pack(">II", len(text), len(payload)) + text + payload


def frame(head, payload=b""):
    return framed(json.dumps(head), payload)


# What is right, alone or as the first word of a type.
SH = {"t": "call", "c": 1, "part": "action", "module": "sh", "function": "run", "arguments": {"argv": ["true"]}, "options": {"effect": "read"}}
ASK = {"t": "call", "c": 1, "part": "action", "module": "ask", "function": "ask", "arguments": {"prompt": "Now?", "type": "bool"}, "options": {}}
LOG = {"t": "log", "level": "info", "text": "a line"}
IDLE = {"t": "idle", "open": 1}
DONE = {"t": "end", "outcome": "succeeded", "value": {"n": 1}}
FAILED = {"t": "end", "outcome": "failed", "why": "it did not work", "kind": "fail", "part": "action", "trace": "stack"}
READY = {"t": "ready", "confined": {"seccomp": True, "landlock": 1, "rlimits": True, "address_space": True}}
BROKEN = {"t": "broken", "why": "what was that?"}
WORKER = [SH, ASK, LOG, IDLE, DONE, FAILED, READY]

STARTED = {"t": "started", "id": 1, "pid": 5, "path": "/usr/bin/true"}
OUTPUT = {"t": "output", "id": 1, "stream": "stdout"}
FINISHED = {"t": "finished", "id": 1, "code": 0, "us": 5}
NOT_STARTED = {"t": "failed", "id": 1, "kind": "not_found", "why": "there is no such program"}
LOST = {"t": "lost", "id": 1, "how": "connection", "why": "it went away"}
ACTOR = [STARTED, OUTPUT, FINISHED, NOT_STARTED, LOST, {"t": "ready", "pid": 5, "uid": 0}]

OF_A_TEXT = [None, 1, 1.5, True, [], {}, ["x"], "a\x00b"]
OF_A_WORD = OF_A_TEXT + ["", "no such word", "x" * 70000, "ACTION"]
OF_A_NUMBER = [None, "1", "", 1.0, True, [], {}, -1, -BIG, BIG - 1]
OF_AN_OBJECT = [None, 1, "x", True, [], [1]]

# For each member, by its path, what it may not be. What is missing here may be anything, or is judged by an order only.
WRONG = {
    "t": OF_A_WORD, "part": OF_A_WORD, "module": OF_A_WORD, "function": OF_A_WORD, "level": OF_A_WORD, "outcome": OF_A_WORD, "kind": OF_A_WORD,
    "stream": OF_A_WORD, "confined": OF_AN_OBJECT, "arguments": OF_AN_OBJECT, "options": OF_AN_OBJECT + [{"effect": "twice"}, {"more": 1}, {"timeout_us": -1}],
    "c": OF_A_NUMBER + [0, 100001], "open": OF_A_NUMBER + [0, 100001], "id": OF_A_NUMBER[:-1] + [0], "pid": OF_A_NUMBER + [0], "uid": OF_A_NUMBER,
    "code": OF_A_NUMBER + [256], "us": OF_A_NUMBER, "text": OF_A_TEXT + ["\x1b[2J", "a\rb", "\u202e", "\u009b", "x" * 262153],
    "why": OF_A_TEXT, "trace": OF_A_TEXT + ["\x1b]0;x\x07"], "path": OF_A_TEXT + ["", "x" * 40000],
    "arguments.argv": [None, "true", {}, [], [1], [None], [["true"]], [{"b64": "!"}], [{"b64": "YQ==", "more": 1}], [{"a": 1}]],
    "arguments.prompt": [None, 1, [], {}, {"b64": 1}], "arguments.type": OF_A_WORD, "confined.seccomp": [None, 1, "yes"], "confined.landlock": OF_A_NUMBER,
    "confined.rlimits": [0], "confined.address_space": [[]],
}
MORE = {  # members that are right elsewhere, or nowhere
    "call": [("more", 1), ("arguments.more", 1), ("arguments.stdin", 5), ("arguments.env", []), ("arguments.env", {"A": 1}), ("arguments.env", {"": "x"}),
             ("arguments.env", {"A=B": "x"}), ("arguments.cwd", 7), ("options.check", False), ("value", 1)],
    "log": [("more", 1), ("c", 1)], "idle": [("c", 1)], "ready": [("confined.more", True), ("id", 1)],
    "end": [("more", 1), ("to", "s0"), ("at", {"chunk": "x"}), ("at", {"chunk": "x", "line": -1}), ("at", {"chunk": "x", "line": 1 << 40}), ("call", 0), ("call", -1),
            ("at", {"chunk": "/etc/shadow", "line": 1}), ("reason", 1)],
    "started": [("more", 1), ("code", 0)], "output": [("code", 0), ("redacted", False)],
    "finished": [("signal", 9), ("more", 1), ("timed_out", False), ("cancelled", False), ("cancelled", True), ("timed_out", "yes")],
    "failed": [("code", 1), ("more", 1)],
}


def put(head, path, value):
    head = json.loads(json.dumps(head))
    at = head
    *above, last = path.split(".")
    for name in above:
        at = at.setdefault(name, {})
    at[last] = value
    return head


def without(head, rng):
    head = json.loads(json.dumps(head))
    required = [k for k in head if k not in ("part", "trace") or head["t"] == "call"]
    del head[rng.choice(required)]
    return head


def nested(levels):
    return "[" * levels + "1" + "]" * levels


def no_frame(rng):
    """Bytes whose first eight, or whose header, are wrong."""
    text = json.dumps(LOG)
    return rng.choice([
        lambda: struct.pack(">II", rng.randrange((1 << 20) + 1, 1 << 32), 0) + b"x",
        lambda: struct.pack(">II", len(text), rng.randrange(12 * (1 << 20) + 1, 1 << 32)) + text.encode(),
        lambda: b"\xff" * 8, lambda: struct.pack(">II", 0, 0), lambda: struct.pack(">II", 0, 5) + b"abcde",
        lambda: framed(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 60))) + b"\xff"),
        lambda: framed(text[:rng.randrange(0, len(text))]), lambda: framed(text + rng.choice(["x", "{}", ",", "\0"])),
        lambda: framed(rng.choice(["[]", "null", "1", '"log"', "true", nested(3), nested(30), nested(5000), "{", "\0", "\xef\xbb\xbf{}"])),
        lambda: framed('{"t":"log","t":"log","level":"info","text":"twice"}'), lambda: framed('{"t":"log","level":"info","text":"a","text":"b"}'),
        lambda: framed(b'{"t":"log","level":"info","text":"\xff\xfe"}'), lambda: framed(b'{"t":"log","level":"info","text":"\xed\xa0\x80"}'),
        lambda: framed('{"t":"log","level":"info","text":"\\ud800"}'), lambda: framed('{"t":"log\\u0000","level":"info","text":"x"}'),
        lambda: framed('{"t":"idle","open":%s}' % rng.choice(["1e999", "9223372036854775808", "1" + "0" * 400, "0x1", "01", "1.0", "-0", "NaN", "Infinity"])),
        lambda: framed('{"t":"end","outcome":"succeeded","value":%s}' % rng.choice(["1e999", "18446744073709551616", nested(17), nested(23), nested(1000)])),
        lambda: framed(json.dumps({"t": "end", "outcome": "succeeded", "value": ["x" * 262144]})),
        lambda: framed(json.dumps({"t": "end", "outcome": "succeeded", "value": [[]] * 200000})),
    ])()


def malformed(rng, good, other):
    """Bytes that are no frame of that peer, whatever the order. other: what the other kind of peer says."""
    head = rng.choice(good)
    paths = [p for p in WRONG if all(n in (head if i == 0 else head[p.split(".")[0]]) for i, n in enumerate(p.split(".")))]
    kind = rng.randrange(6)
    if kind == 0:
        return no_frame(rng)
    if kind == 1:
        return frame(without(head, rng), b"x" if head["t"] == "output" else b"")
    if kind == 2:
        return frame(put(head, *rng.choice(MORE[head["t"]])), b"x" if head["t"] == "output" else b"") if head["t"] in MORE else frame({"t": "what"})
    if kind == 3:
        if head["t"] == "output":
            return frame(head, rng.choice([b"", b"x" * 65537]))
        return frame(head, bytes(rng.randrange(256) for _ in range(rng.randrange(1, 100))))
    if kind == 4:
        return frame(rng.choice([h for h in other if h["t"] != "ready"]))
    path = rng.choice(paths)
    return frame(put(head, path, rng.choice(WRONG[path])), b"x" if head["t"] == "output" else b"")


def out_of_order(rng):
    """Right frames of a worker in a wrong order: (the bytes, how the attempt ends)."""
    sleep = put(SH, "arguments.argv", ["sleep", "30"])
    ended = rng.choice([(DONE, "succeeded"), (FAILED, "failed")])
    return rng.choice([
        lambda: ([READY], "failed"), lambda: ([LOG, READY], "failed"), lambda: ([BROKEN], "failed"),
        lambda: ([IDLE], "failed"), lambda: ([dict(IDLE, open=2)], "failed"),
        lambda: ([dict(SH, c=rng.choice([2, 3, 99, 100000]))], "failed"), lambda: ([SH, SH], "failed"), lambda: ([SH, dict(SH, c=3)], "failed"),
        lambda: ([sleep, dict(IDLE, open=2)], "failed"), lambda: ([sleep, IDLE, IDLE], "failed"), lambda: ([sleep, IDLE, rng.choice([LOG, DONE, FAILED])], "failed"),
        lambda: ([sleep, IDLE, dict(SH, c=2)], "failed"), lambda: ([sleep, dict(sleep, c=2), IDLE], "failed"),
        lambda: ([ended[0], rng.choice([LOG, IDLE, SH, ASK, DONE, FAILED, READY, BROKEN])], ended[1]),
        lambda: ([sleep, DONE, FAILED], "succeeded"), lambda: ([sleep, FAILED, DONE], "failed"), lambda: ([sleep, FAILED, dict(SH, c=2)], "failed"),
        lambda: ([dict(FAILED, call=1)], "failed"), lambda: ([SH, dict(FAILED, call=2)], "failed"),
        lambda: ([dict(FAILED, at={"chunk": "/etc/passwd", "line": 1})], "failed"),
        lambda: ([dict(DONE, outcome="go", to="s0")], "failed"), lambda: ([dict(ASK, c=7)], "failed"),
        lambda: ([LOG] * rng.randrange(1, 50) + [dict(SH, c=100000)], "failed"),
    ])()


def disorder(rng):
    """The same of an actor, for a call that is $ID: heads, each with whether a payload goes with it."""
    started, output, finished, failed, lost = (dict(h, id="$ID") for h in (STARTED, OUTPUT, FINISHED, NOT_STARTED, LOST))
    stranger = rng.choice([2, 77, 1 << 40, BIG - 1])
    return rng.choice([
        [output], [finished], [started, started], [started, failed], [started, output, started], [started, output, failed], [failed, started],
        [started, finished, output], [started, finished, finished], [failed, failed], [dict(STARTED, id=stranger)], [dict(OUTPUT, id=stranger)],
        [dict(FINISHED, id=stranger)], [started, dict(FINISHED, id=stranger)], [dict(NOT_STARTED, id=stranger)], [{"t": "ready", "pid": 5, "uid": 0}],
        [started, {"t": "ready", "pid": 5, "uid": 0}], [started, dict(finished, cancelled=True)], [lost], [started, lost, lost], [failed, lost],
        [started, dict(lost, how="cancelled")],
    ])


def seeded(seed):
    return random.Random(seed)
