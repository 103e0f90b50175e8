#!/usr/bin/env python3
"""make demo: an alert, from the full disk that raises it to the incident that closes, live in this terminal. Starts Debian's Prometheus, Alertmanager and node_exporter, `rung serve`, a mail
server and a webhook as this user's processes on loopback, in a folder of its own, and ends them all. Nothing of this host is touched."""
import os
import shutil
import sys
import textwrap
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage as stages
import scenarios

TTY = sys.stdout.isatty()
COLOR = TTY and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
PAUSE = 0 if os.environ.get("RUNG_DEMO_FAST") or not TTY else 2.5


def paint(code, text):
    return "\033[%sm%s\033[0m" % (code, text) if COLOR else text


STATES = {"succeeded": "32", "failed": "31", "denied": "31", "running": "33", "open": "31", "acknowledged": "33", "mitigated": "33", "resolved": "32", "firing": "31", "pending": "33"}


def word(state):
    return paint(STATES.get(state, "0"), state)


class Picture:
    """What stands where now, drawn over itself on a terminal; elsewhere the story alone."""

    def __init__(self, stage):
        self.stage = stage
        self.story, self.drawn = [], 0
        self.began = time.time()
        self.lock = threading.Lock()
        self.is_over = False
        self.facts = {}
        self.before = (len(stage.mail.mails), len(stage.hook.messages), {i["incident"] for i in stage.incidents()})
        self.thread = threading.Thread(target=self.follow, daemon=True)
        if TTY:
            self.thread.start()

    def hear(self, text):
        line = "%5.1f s  %s" % (time.time() - self.began, text)
        if not TTY:
            print(line, flush=True)
            return
        with self.lock:
            self.story += textwrap.wrap(line, min(100, shutil.get_terminal_size().columns - 4), subsequent_indent=" " * 9)
        time.sleep(PAUSE)

    def follow(self):
        while not self.is_over:
            try:
                self.look()
            except Exception:  # a program may be on its way out
                pass
            self.draw()
            time.sleep(0.3)

    def look(self):
        s = self.stage
        facts = {"percent": s.percent(), "alerts": s.prometheus.alerts()}
        mails, hooks, known = self.before
        incidents = [i for i in s.incidents() if i["incident"] not in known]
        if incidents:
            i = s.incident(incidents[-1]["incident"])
            facts["incident"] = i
            facts["books"] = [x for x in s.executions() if x["started_us"] >= i["opened_us"]]
        facts["mails"], facts["hooks"] = len(s.mail.mails) - mails, len(s.hook.messages) - hooks
        with self.lock:
            self.facts = facts

    def lines(self):
        f = self.facts
        percent = f.get("percent", 0)
        bar = "█" * (percent // 4) + "░" * (25 - percent // 4)
        out = ["", "  " + paint("1", "rung: an alert, from the full disk to the closed incident"), ""]
        out.append("  file system    %s %3d %%   the rule fires above %d %%" % (paint("31" if percent > stages.LIMIT_PERCENT else "32", bar), percent, stages.LIMIT_PERCENT))
        alert = f.get("alerts", {}).get("HostOutOfDiskSpace")
        out.append("  Prometheus     HostOutOfDiskSpace %s" % (word(alert) if alert else "inactive"))
        i = f.get("incident")
        out.append("  incident       " + ("%s  %s" % (i["incident"], word(i["state"])) if i else "none"))
        for x in f.get("books", [])[-3:]:
            out.append("  %-14s %s  %s" % ("playbook" if "playbooks/" in x.get("book", "") else "runbook", x["title"], word(x["state"])))
        told = ["Ana by mail" if f.get("mails") else "", "Bo by webhook" if f.get("hooks") else ""]
        out.append("  told           " + (", ".join(t for t in told if t) or "nobody"))
        return out + [""] + ["  " + l for l in self.story[-10:]] + [""]

    def draw(self):
        with self.lock:
            lines = self.lines()
        width = shutil.get_terminal_size().columns
        sys.stdout.write("\033[%dA\033[J" % self.drawn if self.drawn else "")
        for line in lines:
            sys.stdout.write(line if "\033" in line else line[:width - 1])
            sys.stdout.write("\n")
        sys.stdout.flush()
        self.drawn = len(lines)

    def end(self):
        self.is_over = True
        if TTY:
            self.thread.join(5)
            self.look()
            self.draw()
            self.drawn = 0


def scene(stage, play):
    picture = Picture(stage)
    try:
        return play(stage, picture.hear)
    finally:
        picture.end()


def main():
    why = stages.missing()
    if why:
        print("make demo: " + why, file=sys.stderr)
        return 2
    if not stages.enter(may_ask=True):
        print("make demo needs a mount namespace of its own for a small file system: run it as root, or install sudo", file=sys.stderr)
        return 2
    print("Starting: ", end="", flush=True)
    with stages.Stage(lambda text: print(text + " ... ", end="", flush=True)) as stage:
        print("all there.\n", flush=True)
        first = scene(stage, scenarios.mended)
        second = scene(stage, scenarios.woken)
        print(paint("1", "What the first incident says of itself (rung report %s):" % first["incident"]) + "\n")
        report = stage.rung("report", first["incident"])
        print(report[:report.index("## Proof")])
        keep = os.path.join(os.getcwd(), "build", "demo")
        os.makedirs(keep, exist_ok=True)
        for name, got in (("mended", first), ("woken", second)):
            with open(os.path.join(keep, name + ".md"), "w") as f:
                f.write(stage.rung("report", got["incident"]))
        print("Both reports are in %s. The books are playbooks/disk-filling.md and runbooks/free-space.md; how an alert finds its book: engine/alert/README.md." % keep)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
