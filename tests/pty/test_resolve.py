#!/usr/bin/env python3
"""A call whose outcome nobody saw, as the engineer at the terminal meets it: what is shown, what is asked, that nothing is recorded before they have said how they know, and
that an engine that dies meanwhile loses nothing. A file outside says what was made.

RUNG names the program (default build/rung); names of tests select some.
limit: 120"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import tap  # noqa: E402
from driver import DEADLINE, Terminal  # noqa: E402

RUNG = os.path.abspath(os.environ.get("RUNG", os.path.join(ROOT, "build", "rung")))
BOOK = """# Disk full

## Permissions

- read: `sh test **`
- `sh sh -c *`

## Steps

1. Rotate

   ```lua {id=rotate}
   sh("echo one >> %(made)s")
   sh("echo two >> %(made)s; echo half way; touch %(begun)s; until [ -e %(go)s ]; do sleep 0.02; done")
   return {freed = 12}
   ```

   ```lua {verify}
   sh({"test", "-e", "%(fine)s"})
   ```

2. Prove

   ```lua {id=prove risk=read}
   return {got = steps.rotate.freed}
   ```
"""


def is_gone(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


class Resolve(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="rung-pty-", dir="/tmp")
        self.state = os.path.join(self.top, ".rung", "state")
        os.makedirs(os.path.join(self.top, ".rung"))
        self.files = {n: os.path.join(self.top, n) for n in ("made", "begun", "go", "fine")}
        with open(os.path.join(self.top, "book.md"), "w") as f:
            f.write(BOOK % self.files)
        self.env = {"XDG_STATE_HOME": os.path.join(self.top, "xdg"), "HOME": self.top}
        self.terminals = []
        self.x = self.rung("run", "book.md", "--auto", "--allow", "declared", "--detach").stdout.strip()
        self.poll("the command", lambda: os.path.exists(self.files["begun"]))
        self.kill_engine()
        open(self.files["go"], "w").close()
        self.rung("resume", self.x)

    def tearDown(self):
        for t in self.terminals:
            if t.fd is not None:
                t.close()
        self.kill_engine()
        shutil.rmtree(self.top, ignore_errors=True)

    def poll(self, what, condition):
        end = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def kill_engine(self):
        try:
            with open(os.path.join(self.state, "engine.pid")) as f:
                pid = int(f.read())
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            return
        self.poll("the engine's end", lambda: is_gone(pid))

    def rung(self, *argv):
        return subprocess.run([RUNG, *argv], cwd=self.top, env=dict(os.environ, **self.env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)

    def start(self, *argv, size=(80, 24)):
        t = Terminal([RUNG, *argv], *size, env=self.env, cwd=self.top)
        self.terminals.append(t)
        return t

    def made(self):
        with open(self.files["made"]) as f:
            return f.read().split()

    def records(self, kind):
        lines = [json.loads(l) for l in self.rung("log", self.x, "--json").stdout.splitlines() if l.startswith("{")]
        return [l for l in lines if l.get("k") == kind]

    def unanswered(self):
        self.assertEqual(json.loads(self.rung("resolve", self.x, "--json").stdout)["unknown"], 1)

    def test_asked_on_a_terminal(self):
        t = self.start("resolve", self.x)
        t.sees("call 2", "half way", "did not hold", "a  again", "v  verify", "what became of it?")
        t.type("\r")
        t.sees("Look at the target", "what became of it?")
        t.type("a\r")
        t.sees("call 2 is made once more", "happens twice", "call 1 has an outcome", "How do you know?")
        # Enter alone takes it back, and there is no answer that Enter alone gives.
        t.type("\r")
        t.sees("what became of it?")
        self.unanswered()
        self.assertEqual(self.made(), ["one", "two"])
        t.type("v\r")
        t.has_said("It did not hold at", "asked)")
        t.type("a\r")
        t.sees("How do you know?")
        t.type("it was cut before the write\r")
        self.assertEqual(t.ends(), 0)
        self.assertIn("recorded: again", t.screen.everything())
        self.rung("attach", self.x)
        self.assertEqual(self.made(), ["one", "two", "two"])

    def test_left_without_an_answer(self):
        for how in ("q\r", "d\r\x04", "a\r\x03"):
            t = self.start("resolve", self.x)
            t.sees("what became of it?")
            t.type(how)
            self.assertNotEqual(t.ends(), 0)
            self.unanswered()
        self.assertEqual(self.made(), ["one", "two"])

    def test_somebody_else_answers_first(self):
        t = self.start("resolve", self.x)
        t.sees("what became of it?")
        t.type("d\r")
        t.sees("as JSON")
        self.assertEqual(self.rung("resolve", self.x, "--verify").returncode, 5)
        t.type('{"freed": 3}\r')
        t.sees("How do you know?")
        t.type("I saw it\r")
        t.has_said("what is known of step rotate has changed since it was shown")
        t.sees("what became of it?")
        self.assertEqual(self.rung("resolve", self.x, "--failed", "--reason", "I was quicker").returncode, 0)
        t.type("d\r")
        t.sees("as JSON")
        t.type("\r")
        t.sees("How do you know?")
        t.type("I saw it\r")
        self.assertEqual(t.ends(), 1)

    def test_in_guided_mode_and_an_engine_that_dies_in_the_middle(self):
        for size in ((80, 24), (120, 40)):
            t = self.start("attach", self.x, size=size)
            t.sees("Sent, but nobody saw", "Its verify did not hold", "Enter resolve" if "Enter resolve" in t.screen.text() else "Enter")
            if "go on" in t.screen.text():
                t.type("\r")
                t.sees("Enter resolve")
            t.type("\r")
            t.sees("What became of this call?", "a again", "v run verify now")
            t.type("i")
            t.sees("printed", "half way", "q: back")
            t.type("q")
            t.sees("a again")
            t.type("a")
            t.sees("You say again. How do you know?", "call 2 is made once more", "call 1 has an outcome")
            t.type("half an ans")
            self.kill_engine()
            t.sees("The engine has gone away.")
            t.type("\r")
            t.sees("The engine runs again", "Enter resolve")
            self.assertEqual(self.made(), ["one", "two"])
            t.type("q")
            t.ends()
        t = self.start("attach", self.x)
        t.sees("Enter resolve")
        t.type("\r")
        t.sees("d done")
        t.type("d")
        t.sees("result as JSON")
        t.type('{"freed": 3}\r')
        t.sees("You say done. How do you know?", "then comes: prove")
        t.type("seen in df\r")
        t.ends()
        self.assertEqual(self.made(), ["one", "two"])
        report = self.rung("report", self.x).stdout
        self.assertIn("seen in df", report)
        self.assertIn("shown before: call 2 sent", report)
        self.assertIn("freed", report)

    def test_a_verify_that_holds_settles_it(self):
        t = self.start("attach", self.x)
        t.sees("Enter resolve")
        open(self.files["fine"], "w").close()
        t.type("\r")
        t.sees("v run verify now")
        t.type("v")
        t.ends()
        self.assertEqual(self.made(), ["one", "two"])
        self.assertIn("its proof is run on request", self.rung("report", self.x).stdout)


if __name__ == "__main__":
    tap.main(Resolve)
