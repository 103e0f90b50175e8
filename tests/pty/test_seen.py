#!/usr/bin/env python3
"""What people see of what strangers wrote: every class of canary in every source, every command over them, on a terminal and elsewhere.

limit: 300
RUNG names the program (default build/rung); names of tests select some.
"""
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
import canary  # noqa: E402
import tap  # noqa: E402
from driver import DEADLINE, Terminal  # noqa: E402

RUNG = os.path.abspath(os.environ.get("RUNG", os.path.join(ROOT, "build", "rung")))
# Wide enough that nothing is cut before it is seen.
WIDE = (4000, 150)


def lua(text):
    """A text or bytes as a string of Lua."""
    data = text.encode() if isinstance(text, str) else text
    return '"%s"' % "".join("\\x%02x" % b for b in data)


def octal(data):
    """Bytes as printf's format has them."""
    return "".join("\\\\%03o" % b for b in data)


# What the first step prints: the canary, then a line that is too long to be shown.
PRINTED = canary.BYTES + b"x" * 9000 + b"\n"


# Entities that Markdown turns into what they stand for.
ENTITIES = "&#27;[2J &#x9b;2J &#8238; &#x200b; &#xe0041; &#173; &zwnj; &rlm; &NewLine; &Tab;"

BOOK = """# Title {c} {e}

## Runbook Info

| Runbook ID | Description | Tools Used | Special Permissions | Runbook Author | Last Updated | Escalation POC | Extra {c} |
|---|---|---|---|---|---|---|---|
| RUN{c} | Description {c} {e} | {c} | {c} | Author {c} | when {c} | poc {c} | {c} |

## Parameters

| Name | Type | Default | Description |
|---|---|---|---|
| word | string | default {c} | Meaning {c} |
| bad{c} | nonsense{c} | {c} | {c} |

## Permissions

- read: `sh printf **`
- read: `sh denied {c}`
- `sh false`

## Steps {c}

1. Print {c} {e}

   ```lua {{id=print risk=read}}
   sh({{"printf", "{out}" .. string.rep("x", 9000) .. "\\n"}})
   return {{[{lua}] = {lua}, number = 1}}
   ```

2. Say {c}

   ```lua {{id=say risk=read on_failure=continue}}
   log.info({lua})
   log.warn({lua})
   print({lua})
   return {lua}
   ```

3. Break {c}

   ```lua {{id=break risk=read on_failure=continue}}
   error({lua})
   ```

4. Fail {c}

   ```lua {{id=fail risk=read on_failure=continue}}
   fail({lua})
   ```

5. Expect {c}

   ```lua {{id=expect risk=read on_failure=continue}}
   expect(false, {lua})
   ```

6. Skip {c}

   ```lua {{id=skip risk=read on_failure=continue}}
   skip({lua})
   ```

7. Denied {c}

   ```lua {{id=denied risk=read on_failure=continue}}
   sh({{"denied", {lua}}})
   ```

8. Missing {c}

   ```lua {{id=missing risk=read on_failure=continue needs=skip}}
   local t = nil
   return t[{lua}]
   ```

9. Ask {c}

   ```lua {{id=bad{c} expect="{c}" nonsense{c}=1 owner="{c}"}}
   return ask{{prompt = {lua}, type = "enum", choices = {{{lua}, "b"}}}}
   ```

10. By hand {c} {e}

    <!-- step: id=hand owner="{c}" expect="see {c}" -->

    Prose {c} {e} with `code {c}`, *emphasis {c}*, [a link {c}](<http://example.org/{c}>), ![an image {c}](x{c} "title {c}"), <b>html {c}</b>.

    > quote {c}

    | head {c} | b |
    |---|---|
    | cell {c} | {e} |

    <div>{c} {e}</div>

    ```text{c} {c}
    shown {c}
    ```

    ```sh
    printf '{c}'
    echo second {c}
    ```

        indented {c}
"""


class Seen(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="rung-seen-", dir="/tmp")
        self.workspace = os.path.join(self.top, "w" + canary.NAME)
        self.state = os.path.join(self.workspace, ".rung", "state")
        os.makedirs(os.path.join(self.workspace, ".rung"))
        os.makedirs(os.path.join(self.workspace, "runbooks"))
        self.book = os.path.join("runbooks", "b" + canary.NAME + ".md")
        self.env = {"XDG_STATE_HOME": os.path.join(self.top, "xdg"), "HOME": self.workspace, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        self.terminals = []
        self.write(self.book, BOOK.format(c=canary.LINE, e=ENTITIES, lua=lua(canary.TEXT), out=octal(canary.BYTES)))

    def tearDown(self):
        for terminal in self.terminals:
            terminal.close()
        try:
            with open(os.path.join(self.state, "engine.pid")) as f:
                pid = int(f.read())
            os.kill(pid, signal.SIGTERM)
            end = time.monotonic() + DEADLINE
            while os.path.exists("/proc/%d" % pid) and time.monotonic() < end:
                time.sleep(0.01)
        except (OSError, ValueError):
            pass
        shutil.rmtree(self.top, ignore_errors=True)

    def write(self, name, text):
        with open(os.path.join(self.workspace, name), "wb") as f:
            f.write(text.encode() if isinstance(text, str) else text)

    def harmless(self, data, is_terminal, what, shows=True):
        is_json = "--json" in what or "--stage" in what
        self.assertEqual(canary.harm(data, is_terminal, is_json), [], what)
        # It must have come this far: else nothing was proven.
        if shows:
            self.assertTrue(any(seen in data.decode().lower() for seen in ("\u241b", "\\u241b", "\\u001b")), "no canary in %r: %r" % (what, data[:2000]))

    def pipe(self, *argv, shows=True, env=None, stdin=b""):
        """Runs a command with its output in pipes; both must be harmless."""
        p = subprocess.run([RUNG, *argv], cwd=self.workspace, env=dict(os.environ, **dict(self.env, **(env or {}))), input=stdin, capture_output=True, timeout=60)
        self.harmless(p.stdout, False, argv, False)
        self.harmless(p.stderr, False, argv, False)
        self.harmless(p.stdout + p.stderr, False, argv, shows)
        self.assertNotIn(b"Sanitizer", p.stderr)
        return p

    def terminal(self, *argv, env=None):
        t = Terminal([RUNG, *argv], *WIDE, env=dict(self.env, **(env or {})), cwd=self.workspace)
        self.terminals.append(t)
        return t

    def on_terminal(self, *argv, shows=True, env=None):
        t = self.terminal(*argv, env=env)
        t.ends()
        self.harmless(t.bytes, True, argv, shows)
        return t

    def both(self, *argv, shows=True, env=None):
        self.pipe(*argv, shows=shows, env=env)
        self.on_terminal(*argv, shows=shows, env=env)

    def test_what_reads_books(self):
        for argv in (["check", "runbooks"], ["check", self.book], ["check", "--json", self.book], ["show", self.book], ["graph", self.book], ["graph", "--json", self.book],
                     ["list"], ["list", "--json"], ["run", "--dry-run", self.book], ["run", "--dry-run", "--json", self.book], ["show", self.book + "#" + canary.NAME]):
            self.both(*argv)
        for stage in ("document", "book", "graph", "plan"):
            self.both("show", "--stage", stage, self.book)

    def test_a_book_that_is_no_text(self):
        name = os.fsencode("runbooks/raw\x1b[2J") + b"\x9b\xff.md"
        with open(os.path.join(os.fsencode(self.workspace), name), "wb") as f:
            f.write(b"# T \x9b2J \xff\n\n## Steps\n\n1. One \x9b\xff \x1b[2J\n\n   ```sh\n   echo \xff\x9b \x1b[2J\n   ```\n")
        raw = os.fsdecode(name)
        for argv in (["check", raw], ["check", "--json", raw], ["show", raw], ["list"], ["list", "--json"], ["run", "--dry-run", raw], ["run", "--auto", raw],
                     ["run", "--auto", "--json", raw], ["init"], ["init", "--json"]):
            self.both(*argv)

    def test_what_is_typed_wrongly_is_said_harmlessly(self):
        c = canary.TEXT
        for argv in ([c], ["help", c], ["run", c], ["run", "--" + c, "x"], ["run"] + ["-" + c], ["show", c], ["show", "--stage", c, self.book], ["check", c], ["graph", c],
                     ["run", self.book, "--param", c.replace("=", "")], ["run", self.book, "--params", c], ["log", "--limit", c], ["log", "--state", c], ["verify", "--state", c],
                     ["attach", c, "--state", c], ["list", c], ["init", c], ["resolve", "--reason", c, "--state", c], ["resolve", "--call", c], ["resolve", "--done", "--result", c], ["engine", c],
                     ["run", "--json", c], ["show", "--json", c], ["check", "--json", c]):
            if argv[0] != "engine":
                self.both(*argv, shows=argv[0] != "list" and "attach" not in argv)
        self.both("run", self.book, "--dry-run", "--param", "word=" + c, shows=True)
        self.both("run", self.book, "--dry-run", "--json", "--param", c + "=x", shows=True)

    def test_names_of_the_surroundings(self):
        for name in ("HOME", "RUNG_STATE", "XDG_STATE_HOME", "TERM", "LANG", "USER", "TMPDIR", "NO_COLOR"):
            for argv in (["list"], ["verify"], ["doctor"], ["doctor", "--json"], ["show", self.book]):
                self.both(*argv, env={name: "/" + canary.NAME}, shows=False)
        self.both("doctor")
        self.both("init")

    def execution(self):
        out = self.pipe("log", "--json").stdout.splitlines()
        return json.loads(out[0])["execution"]

    def test_an_execution_in_every_view(self):
        c = canary.TEXT
        p = self.pipe("run", self.book, "--auto", "--allow", "declared", "--param", "word=" + c)
        self.assertEqual(p.returncode, 5, p.stdout + p.stderr)
        x = self.execution()
        self.pipe("note", x, "note " + c, shows=False)
        self.pipe("note", x, "--step", "hand", "note " + c, shows=False)
        self.pipe("note", x, "--step", c, "note")
        t = self.terminal("attach", x)
        t.until(lambda s: "\u241b" in s and "> " in s, "the panel")
        for keys in ("v", "q", "g", "q", "o", "q", "?", "q", "z"):
            t.type(keys)
            t.settle()
        t.type("1")
        t.sees("see")
        for keys in ("v", "q", "r"):
            t.type(keys)
            t.settle()
        t.sees("Run this as you")
        t.type("\r")
        t.settle()
        t.type("\x1b")
        t.settle()
        t.resize(90, 30)
        t.settle()
        t.resize(*WIDE)
        t.type("q")
        t.ends()
        self.harmless(t.bytes, True, "guided mode")
        for argv in (["log"], ["log", "--open"], ["log", x], ["log", x, "--output"], ["log", x, "print", "--output"], ["log", x, "--output", "--json"], ["log", x, c],
                     ["log", x, c, "--output"], ["attach", c], ["cancel", c], ["resume", c], ["note", c, "x"], ["report", c], ["resolve", x, c]):
            self.both(*argv, shows=argv != ["log", x] and c not in argv[1:2])
        self.both("log", x, "--json", shows=False)
        self.pipe("attach", x)
        self.pipe("resume", x)
        self.pipe("cancel", x, "--reason", c, shows=False)
        self.both("report", x)
        self.both("report", x, "--json")
        self.both("attach", x)
        self.both("verify")
        report = json.loads(self.pipe("report", x, "--json").stdout)
        self.assertIn("note: note " + c, [line["text"] for line in report["timeline"]])
        for line in open(os.path.join(self.state, "engine.log"), "rb"):
            self.harmless(line, False, "the engine's log", False)
            self.assertRegex(line, rb"^\d{4}-\d\d-\d\dT[0-9:.]+Z (error|warn|info|debug) ")

    def test_a_guided_run_from_the_first_question(self):
        self.write("plain.md", "# Second {c}\n\n## Steps\n\n1. Wait {c}\n".format(c=canary.LINE))
        t = self.terminal("run", self.book)
        t.sees("Allow for this execution")
        t.type("a\r")
        # Each step is gone through by its key, whatever it ends with.
        for _ in range(16):
            t.settle()
            text = t.screen.text()
            if "You should see" in text:
                break
            t.type("s\r" if "s skip" in text and "Enter" not in text else "\r")
        t.type("q")
        t.ends()
        self.harmless(t.bytes, True, "a guided run")
        t = self.terminal("run", "plain.md")
        t.sees("open from before")
        t.type("q")
        t.ends()
        self.harmless(t.bytes, True, "the second run")
        self.both("attach")
        self.both("cancel")

    def test_a_dumb_terminal(self):
        t = self.terminal("run", self.book, "--allow", "declared", env={"TERM": "dumb"})
        t.sees("> ")
        t.type("\nv\n")
        t.settle()
        t.type("q\n")
        t.ends()
        self.harmless(t.bytes, True, "a dumb terminal")

    def test_raw_bytes_go_to_no_terminal(self):
        self.pipe("run", self.book, "--auto", "--allow", "declared")
        x = self.execution()
        p = subprocess.run([RUNG, "log", x, "print", "--output", "--raw", "stdout"], cwd=self.workspace, env=dict(os.environ, **self.env), capture_output=True, timeout=60)
        self.assertEqual((p.returncode, p.stdout), (0, PRINTED), p.stderr)
        t = self.on_terminal("log", x, "print", "--output", "--raw", "stdout", shows=False)
        self.assertEqual(t.status, 2)
        self.assertIn("is a terminal", t.screen.text())
        for argv in (["log", x, "--raw", "stdout"], ["log", x, "--output", "--raw", "all"], ["log", x, "--output", "--json", "--raw", "stdout"]):
            self.assertEqual(self.pipe(*argv, shows=False).returncode, 2)


if __name__ == "__main__":
    tap.main(Seen)
