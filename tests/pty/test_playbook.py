#!/usr/bin/env python3
"""A playbook in guided mode: what is found stands on the screen, the cause's runbook is asked about, watched and attached to.

RUNG names the program (default build/rung)."""
import os, re, shutil, signal, sys, tempfile, unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
import tap  # noqa: E402
from driver import Terminal  # noqa: E402

RUNG = os.path.abspath(os.environ.get("RUNG", os.path.join(ROOT, "build", "rung")))
MEND = """# Mend

## Permissions

- `sh echo *`

## Steps

1. Ask the owner

2. Mend it

   ```lua {id=mend irreversible="gone"}
   sh{"echo", "mended"}
   ```
"""
SLOW = """# Slow

## Playbook Info

| Playbook ID |
|---|
| PLAY001 |

## Permissions

- read: `sh echo *`

## Diagnosis

1. Look

   ```lua {id=look}
   evidence("disk", {percent = 97})
   cause("full", {evidence = {path = "/srv"}, certainty = 0.9})
   ```

## Root Causes

| Cause | Runbook | Automatic or ask |
|---|---|---|
| `full` | [Mend](../runbooks/mend.md) | ask |
"""


class Playbook(unittest.TestCase):
    def setUp(self):
        self.workspace = tempfile.mkdtemp(prefix="rung-pty-", dir="/tmp")
        for name, text in (("runbooks/mend.md", MEND), ("playbooks/slow.md", SLOW), (".rung/config.yaml", "version: 1\n")):
            path = os.path.join(self.workspace, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        self.env = {"XDG_STATE_HOME": os.path.join(self.workspace, "xdg"), "HOME": self.workspace}
        self.terminals = []

    def tearDown(self):
        for t in self.terminals:
            if t.fd is not None:
                t.close()
        try:
            with open(os.path.join(self.workspace, ".rung", "state", "engine.pid")) as f:
                os.kill(int(f.read()), signal.SIGTERM)
        except (OSError, ValueError):
            pass
        shutil.rmtree(self.workspace, ignore_errors=True)

    def terminal(self, *words):
        t = Terminal([RUNG, *words], 100, 30, self.env, self.workspace)
        self.terminals.append(t)
        return t

    def test_a_cause_is_shown_and_asked_about_and_its_runbook_done_in_a_second_terminal(self):
        t = self.terminal("run", "playbooks/slow.md")
        # What the runbook may do is shown before anything runs.
        t.sees("This book asks for 1 right", "With all of them, its runbook runbooks/mend.md:", "Allow for this execution")
        t.type("a\r")
        t.sees("Step 1 of 2")
        t.type("\r")
        t.sees("Step 2 of 2", "found disk: percent 97", "cause full (90 %): path /srv")
        t.type("\r")
        t.sees("The cause is full. Run Mend (runbooks/mend.md)?")
        t.type("y")
        t.sees("its runbook waits", "waits for a person: rung attach")
        child = re.search(r"rung attach (01[0-9A-Z]{24})", t.screen.everything()).group(1)
        other = self.terminal("attach", child)
        other.sees("started by step remedy of execution", "Ask the owner")
        other.type("d")
        other.settle()
        other.type("\r")
        t.sees("the cause was found, and its runbook succeeded: full", "succeeded: 2 of 2 steps done")
        self.assertEqual(t.ends(), 0)
        self.assertEqual(other.ends(), 0)


if __name__ == "__main__":
    tap.main(Playbook)
