"""A small pty driver: runs a program on a terminal of a given size and keeps the screen that a person would see.

The screen knows what rung prints, and what the programs that rung hands the terminal to print in these tests: text, line feeds, carriage returns, backspace,
tabs, cursor movement, erasing, colours (dropped), the alternate screen. Waiting is polling with a deadline; nothing sleeps to hope for the best.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

DEADLINE = float(os.environ.get("PTY_DEADLINE", "30"))

SEQUENCE = re.compile(rb"\x1b(\[[0-9;?<=>!]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[78=>DEMHc]|[()][0-9A-B])")


class Screen:
    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [[] for _ in range(rows)]  # of cells; the second one of a wide character is empty
        self.row = self.column = 0
        self.scrollback = []
        self.main = None
        self.saved = (0, 0)
        self.pending = b""
        self.odd = []  # sequences that this screen does not know

    def resize(self, columns, rows):
        while len(self.lines) > rows:
            if self.row > 0:
                self.scrollback.append(self.lines.pop(0))
                self.row -= 1
            else:
                self.lines.pop()
        self.lines += [[] for _ in range(rows - len(self.lines))]
        self.columns, self.rows = columns, rows
        self.column = min(self.column, columns - 1)

    def feed(self, data):
        data = self.pending + data
        self.pending = b""
        while data:
            if data[0] == 0x1B:
                match = SEQUENCE.match(data)
                if not match:
                    if len(data) < 64:
                        self.pending = data
                        return
                    self.odd.append(data[:8])
                    data = data[1:]
                    continue
                self.sequence(match.group(0))
                data = data[match.end():]
                continue
            n = 1 if data[0] < 0x80 else 2 if data[0] < 0xE0 else 3 if data[0] < 0xF0 else 4
            if len(data) < n:
                self.pending = data
                return
            self.put(data[:n].decode("utf-8", "replace"))
            data = data[n:]

    def put(self, char):
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self.down()
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char == "\t":
            self.column = min(self.columns - 1, (self.column // 8 + 1) * 8)
        elif char >= " ":
            wide = 2 if unicodedata.east_asian_width(char) in "WF" else 1
            if self.column + wide > self.columns:
                self.column = 0
                self.down()
            line = self.lines[self.row]
            line.extend(" " * (self.column + wide - len(line)))
            line[self.column: self.column + wide] = [char] + [""] * (wide - 1)
            self.column += wide

    def down(self):
        if self.row + 1 < self.rows:
            self.row += 1
            return
        line = self.lines.pop(0)
        if self.main is None:
            self.scrollback.append(line)
        self.lines.append([])

    def sequence(self, text):
        kind = text[-1:]
        if text[1:2] != b"[":
            if text == b"\x1b7":
                self.saved = (self.row, self.column)
            elif text == b"\x1b8":
                self.row, self.column = self.saved
            return
        body = text[2:-1].decode()
        if body.startswith("?"):
            if body == "?1049":
                self.alternate(kind == b"h")
            return
        numbers = [int(n) if n.isdigit() else 0 for n in body.split(";")]
        first = numbers[0] or 1
        if kind == b"A":
            self.row = max(0, self.row - first)
        elif kind == b"B":
            self.row = min(self.rows - 1, self.row + first)
        elif kind == b"C":
            self.column = min(self.columns - 1, self.column + first)
        elif kind == b"D":
            self.column = max(0, self.column - first)
        elif kind == b"H":
            self.row = min(self.rows, first) - 1
            self.column = min(self.columns, (numbers[1] or 1) if len(numbers) > 1 else 1) - 1
        elif kind == b"K":
            if numbers[0] == 0:
                del self.lines[self.row][self.column:]
            elif numbers[0] == 2:
                self.lines[self.row] = []
        elif kind == b"J":
            if numbers[0] == 2:
                self.lines = [[] for _ in range(self.rows)]
            else:
                del self.lines[self.row][self.column:]
                for i in range(self.row + 1, self.rows):
                    self.lines[i] = []
        elif kind == b"r":
            self.row = self.column = 0
        elif kind != b"m" and text != b"\x1b[4l":  # colours; insert mode off
            self.odd.append(text)

    def alternate(self, on):
        if on and self.main is None:
            self.main = (self.lines, self.row, self.column)
            self.lines, self.row, self.column = [[] for _ in range(self.rows)], 0, 0
        elif not on and self.main is not None:
            self.lines, self.row, self.column = self.main
            self.main = None
            self.resize(self.columns, self.rows)

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip("\n")

    def everything(self):
        return "\n".join("".join(line).rstrip() for line in self.scrollback + self.lines).rstrip("\n")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, columns=80, rows=24, env=None, cwd=None):
        self.screen = Screen(columns, rows)
        self.bytes = b""
        self.status = None
        environment = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8", LC_ALL="C.UTF-8", TZ="UTC")
        environment.pop("NO_COLOR", None)
        environment.update(env or {})
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if cwd:
                os.chdir(cwd)
            # Before the program starts, so that it never sees another size.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(argv[0], argv, environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, timeout):
        if not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        if not data:
            self.reap()
            return False
        self.bytes = (self.bytes + data)[-(4 << 20):]
        self.screen.feed(data)
        return True

    def reap(self):
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def until(self, condition, what, deadline=None):
        """Reads until condition(screen text) holds; the last screen is in the failure."""
        end = time.monotonic() + (deadline or DEADLINE)
        while not condition(self.screen.text()):
            if self.status is not None or time.monotonic() > end:
                raise AssertionError("never came: %s (status %s); the screen was:\n%s" % (what, self.status, self.screen.text()))
            self.read(0.05)
        return self.screen.text()

    def sees(self, *texts, deadline=None):
        return self.until(lambda s: all(t in s for t in texts), "%r" % (texts,), deadline)

    def has_said(self, *texts):
        """The same of lines that may have left the screen by then."""
        return self.until(lambda _: all(t in self.screen.everything() for t in texts), "%r" % (texts,))

    def loses(self, text):
        return self.until(lambda s: text not in s, "the end of %r" % text)

    def settle(self):
        """Reads until the program has been quiet for a moment: for golden screens."""
        while self.read(0.3):
            pass
        return self.screen.text()

    def type(self, text):
        os.write(self.fd, text.encode() if isinstance(text, str) else text)

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def signal(self, number):
        os.kill(self.pid, number)

    def ends(self, deadline=None):
        """The exit status."""
        end = time.monotonic() + (deadline or DEADLINE)
        while self.status is None:
            if time.monotonic() > end:
                raise AssertionError("it did not end; the screen was:\n" + self.screen.text())
            self.read(0.05)
        return self.status

    def is_cooked(self):
        flags = termios.tcgetattr(self.fd)[3]
        return bool(flags & termios.ICANON) and bool(flags & termios.ECHO)

    def close(self):
        if self.status is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.reap()
        os.close(self.fd)
