"""What strangers write to steer a terminal or to hide from who reads it, and the judge of what a program printed.

A canary holds one of each class. harm() takes away what rung itself writes to a terminal, by an exact list, and gives what is left that should not be there."""
import re
import unicodedata

PIECES = {
    "erase": "\x1b[2J",
    "conceal": "\x1b[8m",
    "colour": "\x1b[38;5;196m",
    "link": "\x1b]8;;x:y\x1b\\z\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "device control": "\x1bP1$r0m\x1b\\",
    "title": "\x1b]0;owned\x07",
    "cursor report": "\x1b[6n",
    "other screen": "\x1b[?1047h",
    "paste": "\x1b[?2004h",
    "C1": "\u009b2J\u009d0;x\u009c\u0085",
    "delete": "\x7f",
    "backspaces": "ok\b\bno",
    "shift out": "\x0e",
    "bidirectional": "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff",
    "separators": "\u2028\u2029",
    "tags": "\U000e0041\U000e007f",
    "selectors": "x\ufe00\ufe0f\U000e0100",
    "annotation": "\ufff9a\ufffab\ufffb",
    "soft hyphen": "a\u00adb",
    "noncharacters": "\uffff\ufdd0\U0010ffff",
    "fillers": "\u034f\u3164\u115f",
    "marks": "e" + "\u0301" * 40,
}
# What may stand within a line of a book, and what also writes over lines or begins new ones.
LINE = "".join(PIECES.values())
TEXT = LINE + "good\rbad\x0b\x0cfirst\nrung: forged\ttab"
BYTES = TEXT.encode() + b"\x9b2J\xff\xfe\xc0\x80\xed\xa0\x80\x00end\n" + b"\t" * 50
# Short enough for a file name; no slash.
NAME = "n\x1b]0;t\x07\x1b[2J\u009b\u202e\u200b\r\n\x7f\ttail"

CALM = (b"\x1b[?9l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?1l\x1b>\x1b[4l\x1b[?5l\x1b[?6l\x1b[?7h\x1b(B\x0f"
        b"\x1b[0m\x1b[?25h\x1b7\x1b[r\x1b8")
COLOURS = {b"", b"0", b"1", b"2", b"3", b"4", b"7", b"9", b"31", b"32", b"33", b"35", b"36"}
OWN = re.compile(re.escape(CALM) + rb"|\x1b\[J\r|\x1b\[\?25l\r|\r(?:\x1b\[\d+A)?\x1b\[J|\r+\n|\x1b\[(?:([0-9;]*)m|\d*[KAC]|J|H|2J|\?25[lh]|\?1049[lh])")


def without_own(data):
    """The text without what rung writes to steer the terminal; a colour that it does not use stays."""
    def replace(m):
        if m.group(1) is not None and not set(m.group(1).split(b";")) <= COLOURS:
            return m.group(0)
        return b"\n" if m.group(0).endswith(b"\n") else b""
    return OWN.sub(replace, data)


def is_bad(c):
    n = ord(c)
    if c == "\n":
        return False
    if unicodedata.category(c) in ("Cc", "Zl", "Zp") or 0xE0000 <= n <= 0xE0FFF or 0xFDD0 <= n <= 0xFDEF or n & 0xFFFE == 0xFFFE:
        return True
    return c in "\u00ad\u034f\u061c\u115f\u3164\ufeff" or 0x200B <= n <= 0x200F or 0x202A <= n <= 0x202E or 0x2060 <= n <= 0x206F or 0xFFF9 <= n <= 0xFFFB


def harm(data, is_terminal, is_json=False):
    """What is left of the canaries in the bytes that a program printed: a list of what and where. JSON keeps marks as they are: it is the exact text."""
    if is_terminal:
        data = without_own(data)
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        return ["not UTF-8: %r" % data[max(0, e.start - 60): e.end + 10]]
    found = ["U+%04X in %r" % (ord(c), text[max(0, i - 60): i + 20]) for i, c in enumerate(text) if is_bad(c)]
    found += ["%s in %r" % (what, m.group(0)) for what, pattern in (("selectors", ".[\ufe00-\ufe0d].{0,9}|.\ufe0f\ufe0f"), ("a pile of marks", "\u0301{7}"))
              if not is_json for m in re.finditer(pattern, text)]
    found += ["a forged line: %r" % line for line in text.split("\n") if line.startswith("rung: forged") or line.startswith("tail")]
    return found[:3]
