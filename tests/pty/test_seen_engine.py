#!/usr/bin/env python3
"""What people see of an engine that hands on everything as it came: each text of each answer and event of the protocol is a canary, on a terminal and elsewhere.

limit: 200
RUNG names the program (default build/rung); names of tests select some.
"""
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import canary  # noqa: E402
import tap  # noqa: E402
from driver import Terminal  # noqa: E402

RUNG = os.path.abspath(os.environ.get("RUNG", os.path.join(ROOT, "build", "rung")))
X = "01M83D5WN7DXES3BZM4T26NGDE"
C = canary.TEXT
# What the client decides by: everything else may be anything.
STEPS = [  # id, state, waiting, manual
    ("go", "ready", "go", False), ("hand", "ready", "person", True), ("ask", "waiting", "answer", False), ("lost", "unknown", "resolve", False),
    ("wrong", "failed", "decision", False), ("no", "denied", "decision", False), ("late", "timed_out", "decision", False), ("again", "pending", "retry", False),
    ("runs", "running", None, False), ("done", "succeeded", None, False), ("skipped", "skipped", None, True), ("open", "pending", None, False)]


def call(n, state):
    return {"call": n, "of": "action", "nth": n, "attempt": 1, "words": C, "module": C, "function": C, "effect": C, "state": state, "code": 1, "started_us": 10**15,
            "finished_us": 10**15 + 5, "stdout_bytes": 9, "stderr_bytes": 9,
            "unknown": {"why": C, "cwd": C, "stdin_bytes": 9, "body_bytes": 9, "stdin_secret": C, "env": [C, 7], "output_bytes": 9}}


PROOF = {"state": "failed", "by": C, "started_us": 10**15, "finished_us": 10**15 + 5, "why": C, "calls": [{"call": 300001, "words": C, "outcome": C, "code": 1},
                                                                                                           {"call": 300002, "words": C, "outcome": C}]}


def shown(step):
    """What resolve.show says of a step."""
    one = {"call": 2, "words": C, "selected": True, "module": C, "function": C, "effect": C, "host": C, "started_us": 10**15, "unknown_us": 10**15 + 5, "why": C, "cwd": C,
           "stdin_bytes": 9, "stdin_secret": C, "env": [C, 7], "output_bytes": 9, "output": {s: {"kept_bytes": 9, "last": C + "\n" + C} for s in ("stdout", "stderr")},
           "facts": [{"from": C, "says": C, "settles": C}, 7]}
    return {"step": step, "title": C, "attempt": 1, "can_verify": True, "unknown": 3, "selected": 3, "summary": C, "calls": [one, dict(one, host=None, stdin_secret=None)],
            "proof": PROOF, "answers": {name: [C, 7, C] for name in ("again", "failed", "done")}, "readers": [C], "digest": C}


def step(id, state, waiting, manual):
    return {"id": id + C, "title": id + C, "markdown": "%s\n\n```lua\n%s\n```\n\n```sh\n%s\n```\n" % (C, C, C), "line": 3, "phase": C, "section": id + C, "manual": manual,
            "risk": C, "effect": C, "needs": [C], "expect": C, "owner": C, "if": C, "permissions": [C], "state": state, "attempt": 1, "waiting": waiting, "why": "why " + C,
            "to": C, "started_us": 10**15, "finished_us": 10**15 + 5, "due_us": 10**15, "result": {C: [C, {C: "nul \0" + C}]}, "note": "note " + C, "proof": PROOF,
            "fences": [{"role": role, "language": C, "source": C, "line": 4, "run": False, "commands": [C], "expected": C} for role in ("action", "verify", "shell", C)],
            "calls": [call(1, "ok"), call(2, "unknown"), call(3, "running"), call(4, C)]}


def view(steps, state):
    return {"execution": X, "state": state, "mode": "guided", "driver": C, "interrupted": False, "paused": False, "started_us": 10**15, "finished_us": 10**15, "plan": C,
            "book": {"path": C, "anchor": C, "kind": C, "id": C, "title": C, "description": C, "digest": C,
                     "meta": {"owner": C, "author": C, "last_reviewed_on": C, C: C}, "permissions": [{"pattern": C, "read": True}]},
            "params": {C: C, "LIST": [C]}, "allowed": [C], "steps": steps,
            "questions": [{"step": s["id"], "attempt": 1, "call": 1, "prompt": C, "type": "enum", "choices": [C, {C: C}], "default": C} for s in steps],
            "denied": [{"step": s["id"], "words": C, "pattern": "sh " + C, "allowable": True} for s in steps]}


class Engine:
    """Speaks the engine's frames and says the same of everything; each connection has a thread of its own."""

    def __init__(self, state):
        self.view = view([step(*s) for s in STEPS], "waiting")
        self.refuses = False
        self.ends_after = 0  # so many have attached
        here = os.getcwd()
        os.chdir(state)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind("engine.sock")
        os.chdir(here)
        self.socket.listen(20)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        stream = peer.makefile("rwb")

        def send(head, payload=b""):
            text = json.dumps(head).encode()
            stream.write(struct.pack(">II", len(text), len(payload)) + text + payload)
            stream.flush()
        try:
            while True:
                head, payload = struct.unpack(">II", stream.read(8))
                request = json.loads(stream.read(head))
                stream.read(payload)
                self.answer(request, send)
        except (OSError, struct.error, ValueError):
            peer.close()

    def answer(self, request, send):
        op, n = request["op"], request["id"]
        if self.refuses and op != "hello":
            return send({"re": n, "ok": False, "error": {"kind": "denied", "text": "refused " + C}})
        value, payload = {}, b""
        if op == "hello":
            value = {"version": C, "pid": 1, "user": C, "host": C, "principal": C, "state_dir": C}
        elif op == "attach":
            value = self.view
        elif op == "resolve.show":
            value = shown(request["args"].get("step", ""))
        elif op == "log":
            value = {"executions": [{"execution": X, "book": C, "title": C, "state": C, "driver": C, "started_us": 10**15, "steps_done": 1, "steps": 2, "open": True}] * 3}
        elif op == "records":
            value = {"lines": [json.dumps({"v": 1, "seq": 1, "t": C, "k": C, "x": C, "s": C, "by": C, "d": {C: C, "list": [C]}}, ensure_ascii=True)], "next": None}
        elif op == "output":
            payload = canary.BYTES
            value = {"bytes": len(payload), "total": len(payload)}
        elif op == "report":
            value = {"text": "# R\n\n" + canary.LINE, "report": {C: C}}
        elif op in ("run", "shell.start"):
            value = {"execution": X, "call": 7, "attempt": 1}
        send({"re": n, "ok": True, "value": value}, payload)
        if op == "attach":
            for s in self.view["steps"]:
                send({"ev": "output", "execution": X, "step": s["id"], "attempt": 1, "call": 3, "stream": "stdout"}, canary.BYTES)
                send({"ev": "logged", "execution": X, "step": s["id"], "level": C, "text": "said " + C})
                send({"ev": "note", "execution": X, "step": s["id"], "by": C, "text": "noted " + C})
            self.ends_after -= 1
            if self.ends_after == 0:
                self.view["state"] = "failed"
                send({"ev": "ended", "execution": X, "state": "failed"})


class SeenEngine(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="rung-seen-", dir="/tmp")
        self.state = os.path.join(self.top, "state")
        os.mkdir(self.state, 0o700)
        open(os.path.join(self.state, "store.db"), "w").close()
        with open(os.path.join(self.top, "book.md"), "w") as f:
            f.write("# B\n\n## Steps\n\n1. One\n")
        self.engine = Engine(self.state)
        self.env = {"XDG_STATE_HOME": self.top, "HOME": self.top, "RUNG_STATE": self.state, "LC_ALL": "C.UTF-8"}
        self.terminals = []

    def tearDown(self):
        for terminal in self.terminals:
            terminal.close()
        self.engine.socket.close()
        shutil.rmtree(self.top, ignore_errors=True)

    def harmless(self, data, is_terminal, what):
        self.assertEqual(canary.harm(data, is_terminal, "--json" in what), [], what)
        self.assertTrue(any(seen in data.decode().lower() for seen in ("\u241b", "\\u241b", "\\u001b")), "no canary in %r: %r" % (what, data[:2000]))

    def both(self, *argv):
        p = subprocess.run([RUNG, *argv], cwd=self.top, env=dict(os.environ, **self.env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertNotIn(b"Sanitizer", p.stderr)
        self.assertEqual(canary.harm(p.stdout, False, "--json" in argv), [], argv)
        self.harmless(p.stdout + p.stderr, False, argv)
        t = self.terminal(*argv)
        t.ends()
        self.harmless(t.bytes, True, argv)

    def terminal(self, *argv, size=(3000, 200)):
        t = Terminal([RUNG, *argv], *size, env=self.env, cwd=self.top)
        self.terminals.append(t)
        return t

    def test_what_lists_and_prints(self):
        for argv in (["log"], ["log", "--json"], ["log", "--open"], ["log", X], ["log", X, "--json"], ["log", X, "--output"], ["log", X, "--output", "--json"],
                     ["report", X], ["report", X, "--json"], ["doctor"], ["doctor", "--json"]):
            self.both(*argv)

    def test_what_is_refused(self):
        self.engine.refuses = True
        for argv in (["log"], ["log", X], ["report", X], ["attach", X], ["resume", X], ["cancel", X], ["note", X, "x"], ["resolve", X], ["run", "book.md", "--auto"],
                     ["log", "--json"], ["run", "book.md", "--auto", "--json"]):
            self.both(*argv)

    def test_an_execution_without_a_person_at_the_terminal(self):
        p = subprocess.run([RUNG, "attach", X], cwd=self.top, env=dict(os.environ, **self.env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        for data in (p.stdout, p.stderr):
            self.harmless(data, False, "attach")
        self.assertEqual(p.returncode, 5)
        for argv in (["attach", X, "--json"], ["resolve", X]):
            p = subprocess.run([RUNG, *argv], cwd=self.top, env=dict(os.environ, **self.env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            self.harmless(p.stdout + p.stderr, False, argv)

    def test_an_execution_that_runs_by_itself(self):
        for argv in (["attach", X], ["attach", X, "--verbose"]):
            self.engine.view = view([step("runs", "running", None, False), step("open", "pending", None, False)], "running")
            # The command looks once, then stays.
            self.engine.ends_after = 2
            p = subprocess.run([RUNG, *argv], cwd=self.top, env=dict(os.environ, **self.env), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            self.harmless(p.stdout, False, argv)
            self.assertIn(b"said ", p.stdout)
            self.assertIn(b" | ", p.stdout)

    def test_resolve_asks_on_a_terminal(self):
        t = self.terminal("resolve", X)
        t.sees("what became of it?")
        t.type("done\r")
        t.sees("as JSON")
        t.type("{\r")
        t.sees("not JSON")
        t.type("{}\r")
        t.sees("How do you know?")
        t.type("I looked\r")
        t.ends()
        self.harmless(t.bytes, True, "resolve")

    def look(self, t):
        """Reads until nothing has come for a moment; what turns while a step runs never ends."""
        end = time.monotonic() + 0.6
        while t.read(0.15) and time.monotonic() < end:
            pass

    def guided(self, steps, keys, size):
        self.engine.view = view([step(*s) for s in steps], "waiting")
        t = self.terminal("attach", X, size=size)
        t.sees("leave")
        for key in [*keys, "\x1b", "q", "q"]:
            if t.status is None:
                t.type(key)
                self.look(t)
        t.ends()
        self.harmless(t.bytes, True, "guided mode: %s" % (steps[0],))

    def test_each_kind_of_wait_in_guided_mode(self):
        for s in STEPS[:9]:
            self.guided([s], ["v", "q", "o", "q", "\r", "\x1b", "y", "\x1b"], (3000, 200))

    def test_an_answer_in_guided_mode(self):
        for size in ((3000, 200), (80, 24)):
            self.guided([STEPS[3]], ["\r", "i", "q", "c", "2\r", "f", "\x1b", "d", "{\r", "{}\r", "I looked\r"], size)

    def test_every_page_of_guided_mode(self):
        self.guided(STEPS, ["v", "q", "g", "q", "o", "q", "?", "q", "n", "\x1b", "b", "\x1b", "a", "\t", "v", "q"], (3000, 200))
        self.guided(STEPS, ["v", "  ", "q", "g", "q", "o", " ", "q"], (60, 20))

    def test_an_execution_that_has_ended(self):
        self.engine.view = view([step("lost", "unknown", None, False), step("no", "denied", None, False), step("done", "succeeded", None, False)], "failed")
        self.both("attach", X)
        self.both("resume", X)


if __name__ == "__main__":
    tap.main(SeenEngine)
