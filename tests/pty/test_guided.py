#!/usr/bin/env python3
"""Guided mode, driven as a person would: three books walked with every key, sizes, signals, several terminals.

limit: 400
RUNG names the program (default build/rung); PTY_GOLDEN=write writes the golden screens in tests/golden/pty anew; names of tests select some.
"""
import glob
import os
import re
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
GOLDEN = os.path.join(ROOT, "tests", "golden", "pty")
SIZES = {"80x24": (80, 24), "200x50": (200, 50)}


def steady(text, workspace):
    """The screen without what differs from run to run; widths stay."""
    text = text.replace(workspace, "/WORKSPACE")
    text = re.sub(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", "X" * 26, text)
    text = re.sub(r"\b\d+\.\d s\b", "#.# s", text)
    text = re.sub(r"engine \S+@\S+", "engine USER@HOST", text)
    text = re.sub(r"user:\S+", "user:USER", text)
    text = re.sub(r"sent \d\d:\d\d:\d\d", "sent HH:MM:SS", text)
    lines = text.split("\n")
    # Lines of the engine's start stand above and are as long as a path is.
    while lines and not any(word in lines[0] for word in ("Free a full disk  ", "Commands by hand  ", "Things that go wrong  ")) and any(
            line.startswith(("Free a full disk  ", "Commands by hand  ", "Things that go wrong  ")) for line in lines):
        lines.pop(0)
    return "\n".join(lines).rstrip("\n") + "\n"


def alive(pattern):
    return subprocess.run(["pgrep", "-f", pattern], stdout=subprocess.DEVNULL).returncode == 0


class Guided(unittest.TestCase):
    def setUp(self):
        self.workspace = tempfile.mkdtemp(prefix="rung-pty-", dir="/tmp")
        self.state = os.path.join(self.workspace, ".rung", "state")
        os.makedirs(os.path.join(self.workspace, ".rung"))
        shutil.copytree(os.path.join(ROOT, "tests", "fixtures", "guided"), os.path.join(self.workspace, "runbooks"))
        self.env = {"XDG_STATE_HOME": os.path.join(self.workspace, "xdg"), "HOME": self.workspace}
        self.terminals = []

    def tearDown(self):
        for terminal in self.terminals:
            if terminal.fd is not None:
                terminal.close()
        self.end_engine()
        shutil.rmtree(self.workspace, ignore_errors=True)

    def end_engine(self, how=signal.SIGTERM):
        try:
            with open(os.path.join(self.state, "engine.pid")) as f:
                pid = int(f.read())
            os.kill(pid, how)
        except (OSError, ValueError):
            return
        end = time.monotonic() + DEADLINE
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < end:
            with open("/proc/%d/stat" % pid) as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return
            time.sleep(0.01)

    def start(self, *argv, size=(80, 24), env=None):
        terminal = Terminal([RUNG, *argv], *size, env=dict(self.env, **(env or {})), cwd=self.workspace)
        self.terminals.append(terminal)
        return terminal

    def rung(self, *argv):
        return subprocess.run([RUNG, *argv], cwd=self.workspace, env=dict(os.environ, **self.env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE)

    def execution(self):
        import json
        out = self.rung("log", "--json").stdout.splitlines()
        return json.loads(out[0])

    def golden(self, terminal, name, size):
        """The screen as it stands is the one that was looked at once and found good."""
        terminal.settle()
        if terminal.status is None:
            # Drawn anew: how far the screen had scrolled depends on what was drawn in between.
            columns, rows = terminal.screen.columns, terminal.screen.rows
            terminal.resize(columns, rows + 1)
            terminal.settle()
            terminal.resize(columns, rows)
            have = terminal.settle()
        else:
            have = "\n".join(terminal.screen.everything().split("\n")[-8:])
        have = steady(have, self.workspace)
        path = os.path.join(GOLDEN, "%s.%s.txt" % (name, size))
        self.assertEqual(terminal.screen.odd, [])
        self.assertLessEqual(max(map(len, have.splitlines() or [""])), terminal.screen.columns)
        if os.environ.get("PTY_GOLDEN") == "write":
            os.makedirs(GOLDEN, exist_ok=True)
            with open(path, "w") as f:
                f.write(have)
            return
        with open(path) as f:
            self.assertEqual(have, f.read(), "the golden screen %s" % path)

    # The first book: steps by hand and by themselves, questions, every key that needs no shell.

    def walk(self, size):
        t = self.start("run", "RUN901", size=SIZES[size])
        t.sees("Allow for this execution")
        t.type("x\r")
        t.sees("1 3): x", "Allow for this execution")
        t.type("a\r")
        t.sees("Enter run it")
        self.golden(t, "walk-1-start", size)
        t.type("?")
        t.sees("mean something now")
        t.type(">")
        t.sees("Ctrl-C")
        t.type("q")
        t.loses("Ctrl-C")
        t.type("z")
        t.sees("z means nothing now")
        t.type("v")
        t.sees("return {folder", "effect")
        t.type("q")
        t.loses("return {folder")
        t.type("\r")
        t.sees("93 %", "Step 2 of 6")
        self.golden(t, "walk-2-by-hand", size)
        t.type("\r")
        t.sees("Do what it says")
        t.type("n")
        t.sees("Note for the record")
        t.type("asked ana\x7f\x7f\x7fAna \u00fcber \u6f22")
        t.sees("> asked Ana \u00fcber \u6f22")
        t.type("\x1b[D\x1b[D\x01X\x05!\r")
        t.sees("Xasked Ana \u00fcber \u6f22!")
        t.type("g")
        t.sees("all steps (all)")
        self.golden(t, "walk-3-all-steps", size)
        t.type("q")
        t.loses("all steps (all)")
        t.type("f")
        t.sees("What did you see?")
        t.type("\x1b")
        t.loses("What did you see?")
        t.type("f")
        t.sees("What did you see?")
        t.type("nobody answers\r")
        t.sees("failed", "a again")
        self.golden(t, "walk-4-failed", size)
        t.type("a")
        t.sees("Step 2 of 6", "f failed")
        t.type("b")
        t.sees("again?")
        t.type("\x1b")
        t.loses("again?")
        t.type("d")
        t.sees("Step 3 of 6", "Enter run it")
        t.type("\r")
        t.sees("How far may we go?", "2  all but today")
        self.golden(t, "walk-5-choice", size)
        t.type("2")
        t.sees("Is the backup of last night there?")
        t.type("y")
        t.sees("How many days shall stay?")
        t.type("\r")
        t.sees("Your answer")
        t.type("seven\r")
        t.sees("A whole number is expected")
        t.type("\x157\r")
        t.sees("days 7", "Step 4 of 6")
        t.type("s")
        t.sees("Why skip it?")
        t.type("\x1b")
        t.loses("Why skip it?")
        t.type("\r")
        t.sees("40 GB", "Step 5 of 6")
        t.type("s")
        t.sees("Why skip it?")
        t.type("the owner is away\r")
        t.sees("skipped", "Step 6 of 6")
        t.type("\x03")
        t.sees("Interrupted. Nothing has been stopped yet.")
        self.golden(t, "walk-6-interrupted", size)
        t.type("\r")
        t.loses("Interrupted.")
        t.type("\r")
        self.assertEqual(t.ends(), 0)
        self.golden(t, "walk-7-ended", size)
        self.assertEqual(self.execution()["state"], "succeeded")
        self.assertIn("Xasked Ana", t.screen.everything())
        self.assertEqual(self.rung("verify").returncode, 0)

    def test_first_book_80x24(self):
        self.walk("80x24")

    def test_first_book_200x50(self):
        self.walk("200x50")

    # The second book: commands of shell fences.

    def shell(self, size):
        t = self.start("run", "RUN902", size=SIZES[size])
        t.sees("Next command, 1 of 3")
        self.golden(t, "shell-1-start", size)
        t.type("\r")
        t.sees("Run this as you")
        t.type("\x1b")
        t.loses("Run this as you")
        for command in ("1 of 3", "2 of 3", "3 of 3"):
            t.sees("Next command, " + command)
            t.type("r")
            t.sees("Run this as you")
            t.type("\r")
        t.sees("\u2502 good morning from /usr", "All 3 commands")
        self.golden(t, "shell-2-carried", size)
        t.type("o")
        t.sees("== command 1.3")
        t.type("q")
        t.loses("== command 1.3")
        t.type("d")
        t.sees("Step 2 of 5", "Next command, 1 of 1")
        t.type("\r")
        t.sees("Run this as you")
        t.type("\r")
        t.sees("What is pod name?")
        t.type("web; echo BAD\r")
        t.sees("\u2502 pod is web; echo BAD", "The command of this step ran")
        t.type("d")
        t.sees("Step 3 of 5")
        t.type("\r")
        t.sees("Run this as you")
        t.type("\r")
        t.sees("No such file", "exit status 2", "Next command, 1 of 2")
        t.type("\x1b[B")
        t.sees("Next command, 2 of 2")
        t.type("e")
        t.sees("The command to run:")
        t.type("\x17then\r")
        t.sees("$ echo then")
        t.type("\r")
        t.sees("\u2502 then", "All 2 commands")
        self.golden(t, "shell-3-edited", size)
        t.type("d")
        t.sees("Step 4 of 5", "Next command")
        t.type("t")
        t.sees("with the terminal?")
        t.type("\r")
        t.sees("your name? ")
        t.type("ana\r")
        t.sees("hello ana", "The command of this step ran")
        self.golden(t, "shell-4-terminal", size)
        t.type("d")
        t.sees("Step 5 of 5")
        t.type("\r")
        t.sees("Run this as you")
        t.type("\r")
        t.sees("\u2502 started", "It runs.")
        t.type("\x03")
        t.sees("ended by signal 2")
        self.golden(t, "shell-5-interrupted", size)
        t.type("f")
        t.sees("What did you see?")
        t.type("\r")
        t.sees("x stop and keep")
        t.type("x")
        t.sees("Stop here")
        t.type("enough\r")
        self.assertEqual(t.ends(), 1)
        self.assertEqual(self.execution()["state"], "failed")
        import json
        lines = [json.loads(line) for line in self.rung("log", self.execution()["execution"], "--json").stdout.splitlines()]
        started = [r for r in lines if r["k"] == "call.started"]
        finished = [r for r in lines if r["k"] == "call.finished"]
        self.assertEqual((len(started), len(finished)), (8, 8))

    def test_second_book_80x24(self):
        self.shell("80x24")

    def test_second_book_200x50(self):
        self.shell("200x50")

    # The third book: what goes wrong.

    def test_third_book(self):
        t = self.start("run", "RUN903", "--allow", "declared")
        t.sees("Enter run it")
        t.type("\r")
        t.sees("ended with exit status 1", "a again")
        self.golden(t, "trouble-1-failed", "80x24")
        open(os.path.join(self.workspace, "marker"), "w").close()
        t.type("a")
        t.sees("it is there", "Step 2 of 4")
        t.type("\r")
        t.sees("flooded", "Step 3 of 4")
        self.assertIn("\u241b]0;title\u2407", t.screen.text())
        self.golden(t, "trouble-2-flooded", "80x24")
        t.resize(200, 50)
        t.sees("Things that go wrong   ", "Step 3 of 4")
        self.golden(t, "trouble-3-larger", "200x50")
        t.resize(60, 18)
        t.until(lambda s: max(map(len, s.splitlines())) < 60 and "Step 3 of 4" in s, "the smaller screen")
        self.golden(t, "trouble-4-smaller", "60x18")
        t.resize(80, 24)
        t.type("\r")
        t.sees("Denied:", "No key allows it:", "s skips the step")
        self.assertNotIn("y allow it", t.screen.text())
        self.golden(t, "trouble-5-denied", "80x24")
        t.type("d")
        t.sees("Step 4 of 4")
        t.type("d")
        self.assertEqual(t.ends(), 0)
        self.assertNotIn(b"\x1b]0;title", t.bytes)

    def test_what_the_driver_may_allow_is_offered(self):
        t = self.start("run", "RUN901")
        t.sees("Allow for this execution")
        t.type("n\r")
        t.sees("Enter run it")
        t.type("\r")
        t.sees("Denied:", "y would allow sh echo", "y allow it")
        self.golden(t, "trouble-6-allowable", "80x24")
        t.type("y")
        t.sees("Allow, for this execution only:", "sh echo")
        t.type("y")
        t.sees("93 %", "Step 2 of 6")
        t.type("q")
        self.assertEqual(t.ends(), 5)

    def test_rights_are_wrapped_between_words(self):
        with open(os.path.join(self.workspace, "runbooks", "wide.md"), "w") as f:
            f.write("# Wide\n\n## Permissions\n\n- `sh find " + "alpha beta " * 12 + "**`\n\n## Steps\n\n1. Do it\n")
        t = self.start("run", "wide")
        screen = t.sees("Allow for this execution")
        lines = screen[screen.index("   1  changes"):].split("\n")
        self.assertTrue(all(line.startswith("              ") for line in lines[1:-1]), screen)
        for line in lines[:-1]:
            self.assertLess(len(line), 80)
            self.assertTrue(line.endswith(("alpha", "beta", "**")), screen)
        t.type("n\r")
        t.sees("Step 1 of 1")
        t.type("q")
        t.ends()

    def test_output_of_ten_mebibytes_can_be_paged(self):
        open(os.path.join(self.workspace, "marker"), "w").close()
        t = self.start("run", "RUN903", "--allow", "declared")
        t.sees("Enter run it")
        t.type("\r")
        t.sees("Step 2 of 4")
        t.type("\r")
        t.sees("Step 3 of 4")
        t.type("o")
        # The first 1 and the last 9 MiB are kept; the pager begins at the end.
        t.sees("line 159999", "(end)")
        t.type("<")
        t.sees("== call 1.1", "line 0 ")
        t.type(" ")
        t.sees("line 40 ")
        t.resize(200, 50)
        t.sees("line 40 ", "line 60 ")
        t.type("\x1b[6~\x1b[5~\x1b[A\x1b[B>")
        t.sees("line 159999")
        t.type("q")
        t.sees("Step 3 of 4")
        t.type("q")
        t.ends()
        self.assertNotIn(b"\x1b]0;title", t.bytes)

    # Signals, terminals that go, engines that go.

    def test_hangup_loses_nothing(self):
        t = self.start("run", "RUN901", "--allow", "declared")
        t.sees("Enter run it")
        t.type("\r")
        t.sees("Step 2 of 6")
        t.signal(signal.SIGHUP)
        self.assertEqual(t.ends(), 129)
        self.assertEqual(self.execution()["state"], "waiting")
        again = self.start("attach")
        again.sees("Step 2 of 6", "93 %")
        again.type("d")
        again.sees("Step 3 of 6")
        again.type("q")
        self.assertEqual(again.ends(), 5)

    def test_a_closed_terminal_ends_the_command_that_runs_there(self):
        t = self.start("run", "RUN902")
        mark = "sleep 300.%d" % os.getpid()
        for step in ("Step 1", "Step 2", "Step 3", "Step 4"):
            t.sees(step)
            t.type("d")
        t.sees("Step 5 of 5")
        t.type("e")
        t.sees("The command to run:")
        t.type("\x15echo started; %s\r" % mark)
        t.sees("Run this as you")
        t.type("\r")
        t.sees("\u2502 started")
        self.assertTrue(alive(mark))
        os.kill(t.pid, signal.SIGKILL)
        end = time.monotonic() + DEADLINE
        while alive(mark) and time.monotonic() < end:
            time.sleep(0.01)
        self.assertFalse(alive(mark), "the command outlived the terminal that it was started on")
        again = self.start("attach")
        again.sees("Step 5 of 5")
        again.type("q")
        again.ends()

    def test_two_terminals_see_what_the_other_does(self):
        one = self.start("run", "RUN901", "--allow", "declared")
        one.sees("Enter run it")
        two = self.start("attach", size=(120, 30))
        two.sees("Enter run it")
        one.type("\r")
        two.sees("Step 2 of 6")
        two.type("n")
        two.sees("Note for the record")
        two.type("from the second\r")
        one.sees("from the second")
        two.type("d")
        one.sees("Step 3 of 6")
        one.type("q")
        one.ends()
        two.type("\r")
        two.sees("How far may we go?")
        two.type("q")
        two.ends()

    def test_an_engine_that_dies_is_told_and_started_again(self):
        t = self.start("run", "RUN901", "--allow", "declared")
        t.sees("Enter run it")
        t.type("\r")
        t.sees("Step 2 of 6")
        self.end_engine(signal.SIGKILL)
        t.sees("The engine has gone away.", "Enter start it again")
        self.golden(t, "engine-gone", "80x24")
        t.type("\r")
        t.sees("Step 2 of 6", "d done")
        t.type("d")
        t.sees("Step 3 of 6")
        t.type("q")
        self.assertEqual(t.ends(), 5)
        self.assertEqual(self.rung("verify").returncode, 0)

    def test_an_engine_that_dies_can_be_left(self):
        t = self.start("run", "RUN901", "--allow", "declared")
        t.sees("Enter run it")
        self.end_engine(signal.SIGKILL)
        t.sees("The engine has gone away.")
        t.type("q")
        self.assertEqual(t.ends(), 1)
        self.assertIn("rung resume", t.screen.everything())
        again = self.start("resume")
        again.sees("Enter run it")
        again.type("q")
        again.ends()

    def test_ctrl_c_can_cancel_and_pause(self):
        t = self.start("run", "RUN901", "--allow", "declared")
        t.sees("Enter run it")
        t.type("\x03")
        t.sees("p pause")
        t.type("p")
        t.sees("Paused", "Enter go on")
        t.type("\r")
        t.loses("Paused")
        t.type("\x03")
        t.sees("c cancel")
        t.type("c")
        t.sees("Cancel the execution. Why?")
        t.type("wrong host\r")
        self.assertEqual(t.ends(), 130)

    def test_the_terminal_is_given_back(self):
        # A shell between us and rung: the pty is read after rung has gone.
        for how in ("q", signal.SIGHUP, signal.SIGTERM, signal.SIGABRT):
            script = "stty -a >before; %s run RUN901 --allow declared; stty -a >after; echo shell-goes-on" % RUNG
            t = Terminal(["/bin/sh", "-c", script], env=self.env, cwd=self.workspace)
            self.terminals.append(t)
            t.sees("Enter run it")
            if how == "q":
                t.type("q")
            else:
                pid = int(subprocess.run(["pgrep", "-P", str(t.pid), "rung"], capture_output=True, text=True, check=True).stdout.split()[0])
                os.kill(pid, how)
            t.sees("shell-goes-on")
            t.ends()
            with open(os.path.join(self.workspace, "before")) as before, open(os.path.join(self.workspace, "after")) as after:
                self.assertEqual(before.read(), after.read(), "after %s" % how)

    def test_ctrl_z_suspends_and_fg_comes_back(self):
        t = Terminal(["/bin/bash", "--norc", "--noprofile", "-i"], env=dict(self.env, PS1="prompt$ ", BASH_SILENCE_DEPRECATION_WARNING="1"), cwd=self.workspace)
        self.terminals.append(t)
        t.sees("prompt$")
        t.type("%s run RUN901 --allow declared\r" % RUNG)
        t.sees("Enter run it")
        t.type("\x1a")
        t.sees("Stopped")
        t.type("stty -a | grep -c ' icanon'\r")
        t.sees("\n1")
        t.type("fg\r")
        t.sees("Enter run it")
        t.type("q")
        t.sees("rung attach")
        t.type("exit\r")
        t.ends()

    # Plain terminals.

    def test_a_dumb_terminal_gets_lines(self):
        t = self.start("run", "RUN901", "--allow", "declared", env={"TERM": "dumb"})
        t.sees("Enter run it")
        t.type("\n")
        t.sees("93 %", "Step 2 of 6")
        t.type("n\n")
        t.sees("Note for the record")
        t.type("plain words\n")
        t.sees("note by", "plain words")
        t.type("d\n")
        t.sees("Step 3 of 6")
        t.type("\n")
        t.sees("How far may we go?")
        t.type("1\n")
        t.sees("Is the backup")
        t.type("q\n")
        self.assertEqual(t.ends(), 5)
        self.assertNotIn(b"\x1b", t.bytes)

    def test_ascii_where_the_locale_has_no_utf8(self):
        t = self.start("run", "RUN901", "--allow", "declared", env={"LC_ALL": "C", "LANG": "C", "NO_COLOR": "1"})
        t.sees("Enter run it")
        t.type("\r")
        t.sees("Step 2 of 6")
        self.golden(t, "ascii", "80x24")
        marks = t.screen.text().encode()
        self.assertEqual(max(marks) < 0x80, True)
        t.type("q")
        t.ends()
        self.assertNotIn(b"\x1b[1m", t.bytes)

    def test_auto_on_a_terminal_stops_where_a_person_is_needed(self):
        t = self.start("run", "RUN901", "--auto", "--allow", "declared")
        self.assertEqual(t.ends(), 5)
        self.assertIn("93 %", t.screen.everything())
        self.assertIn("rung attach", t.screen.everything())


if __name__ == "__main__":
    tap.main(Guided)
