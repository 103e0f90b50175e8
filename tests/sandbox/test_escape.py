#!/usr/bin/env python3
"""Every script of escapes/ does what it tries in the unconfined worker, and nothing of it in the real one. See escapes/README.md. limit: 300 build: release

test_escape.py          the suite
test_escape.py WORD...  the scripts whose names hold one of the words, with what was seen
"""
import concurrent.futures, glob, os, re, shutil, signal, socket, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
import forkd

GOLDEN = os.path.join(HERE, "..", "golden", "sandbox", "escapes.txt")
SANITIZED = os.path.join(os.path.dirname(forkd.RELEASE), "san", "rung-forkd")

CPU_MS, CPU_MS_LONG, CPU_GRACE = 20, 2000, 0.25  # DESIGN.md: a step ends within its deadline plus 250 ms
MEMORY, MEMORY_SLACK = 8 << 20, 24 << 20
OTHER_MEMORY, OTHER_MEMORY_MAX = 64 << 20, 400 << 20  # of a step's JSON and patterns, which is outside of Lua's count
FLOOD_BYTES = 24 << 20
CPU_SHOWN = 0.1  # in the unconfined worker a loop has run on when it is at several times its deadline: all of them to the end of the grace takes a minute
RESIDENT_MAX = 2 << 30  # where nothing else holds it
WALL = 60  # against hanging only: what is asserted is CPU time
TOKEN = "token7b1c9e52ofanother"

# What a script may try, and the limits under which it is tried: CPU time in ms, bytes of Lua's memory.
EFFECTS = {
    "cpu": (CPU_MS, 64 << 20), "memory": (CPU_MS_LONG, MEMORY), "other-memory": (CPU_MS_LONG, OTHER_MEMORY), "caught": (CPU_MS_LONG, MEMORY),
    "file": (CPU_MS_LONG, 64 << 20), "process": (CPU_MS_LONG, 64 << 20), "socket": (CPU_MS_LONG, 64 << 20), "signal": (CPU_MS_LONG, 64 << 20),
    "frame": (CPU_MS_LONG, 64 << 20), "environment": (CPU_MS_LONG, 64 << 20), "crash": (CPU_MS_LONG, 64 << 20), "address": (CPU_MS_LONG, 64 << 20),
    "differs": (CPU_MS_LONG, 64 << 20), "leftover": (CPU_MS_LONG, 64 << 20), "flood": (100, 64 << 20),
}
OUTSIDE = {"file", "process", "socket", "signal", "frame", "environment"}  # what even a worker with all of Lua must not reach


class Script:
    def __init__(self, name, effect, sources):
        self.name, self.effect, self.sources = name, effect, sources


def scripts():
    """All scripts: in a file each begins with "--- name", "-- tries: effect"; "--- next attempt" begins what a second attempt in that worker does."""
    out = []
    for path in sorted(glob.glob(os.path.join(HERE, "escapes", "*.lua"))):
        with open(path) as f:
            pieces = re.split(r"^--- (.+)\n", f.read(), flags=re.M)
        for name, body in zip(pieces[1::2], pieces[2::2]):
            if name == "next attempt":
                out[-1].sources.append(body)
                continue
            tries = re.match(r"-- tries: ([a-z-]+)\n", body)
            if not tries or tries.group(1) not in EFFECTS:
                raise SystemExit("%s: \"%s\" does not say what it tries" % (path, name))
            out.append(Script(name, tries.group(1), [body[tries.end():]]))
    return out


class Outside:
    """What an escape could reach: a folder with files, a listener, a process. Looks what became of it."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(os.path.join(folder, "keep"))
        for name, text in (("secret", "x " + TOKEN), ("target", "untouched"), ("module.lua", "return '%s'" % TOKEN)):
            with open(os.path.join(folder, name), "w") as f:
                f.write(text)
        self.before = self._files()
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(8)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.process = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _files(self):
        found = {}
        for base, folders, files in os.walk(self.folder):
            for name in folders:
                found[os.path.join(base, name)] = None
            for name in files:
                with open(os.path.join(base, name), "rb") as f:
                    found[os.path.join(base, name)] = f.read()
        return found

    def params(self):
        return {"folder": self.folder, "port": self.port, "pid": self.process.pid, "token": TOKEN}

    def touched(self):
        """What happened to it, or None."""
        with open("/proc/%d/stat" % self.process.pid) as f:
            state = f.read().rsplit(")", 1)[1].split()[0]
        if state in "TZX":
            return "signal"
        try:
            self.listener.accept()[0].close()
            return "socket"
        except BlockingIOError:
            pass
        return "file" if self._files() != self.before else None

    def close(self):
        self.listener.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


class Run:
    """One script in one worker: runs it until it ends, or until what it tries has been seen."""

    def __init__(self, server, script, outside, must_happen):
        self.script, self.outside, self.must_happen = script, outside, must_happen
        self.seen, self.end, self.received, self.tokens, self.text = None, None, 0, False, ""
        self.worker = server.worker()
        self.base = self.worker.resident()
        try:
            self._run()
        finally:
            self.cpu = self.worker.cpu()
            self.worker.close()
        if not self.seen:
            self.seen = self._settled()

    def _run(self):
        for i, source in enumerate(self.script.sources):
            cpu_ms, memory = EFFECTS[self.script.effect]
            params = self.outside.params()
            if self.script.effect == "leftover" and i > 0 or self.script.effect in ("environment",):
                del params["token"]
            self.cpu_before = self.worker.cpu()
            self.worker.send(*forkd.attempt(source, params=params, cpu_ms=cpu_ms, memory_bytes=memory))
            self.end, self.received, self.text = None, 0, ""
            try:
                self._follow()
            except EOFError:
                return
            except ValueError:
                self.seen = "frame"
            if self.seen or not self.end:
                return

    def _follow(self):
        until, held = time.monotonic() + WALL, []
        while not self.end:
            got = self.worker.frame(0.004)
            self._look()
            if self.seen:
                return
            if time.monotonic() > until:
                self.seen = "it does not end"
                return
            if got:
                self._frame(got[0], held)

    def _frame(self, head, held):
        kind = head.get("t")
        if kind in ("end", "log"):
            text = repr(head.get("value")) + str(head.get("why")) + str(head.get("text")) + str(head.get("trace"))
            self.received += len(text)
            self.text = (self.text + text)[-65536:]
        if kind == "end":
            self.end = head
        elif kind == "call":
            held.append(head["c"])
        elif kind == "idle":
            for c in held:
                self.worker.send({"t": "answer", "c": c, "now_us": 1700000000000000 + c, "ok": True, "value": {"code": 0}, "stdout": 4, "stderr": 0}, b"out\n")
            held.clear()
        elif kind not in ("log", "ready"):
            self.seen = "frame"

    def _look(self):
        effect = self.script.effect
        cpu_ms, memory = EFFECTS[effect]
        cpu, resident = self.worker.cpu() - self.cpu_before, self.worker.resident() - self.base
        if self.must_happen:
            happened = {"cpu": cpu > CPU_SHOWN, "memory": resident > memory + MEMORY_SLACK, "other-memory": resident > OTHER_MEMORY_MAX,
                        "flood": self.received > FLOOD_BYTES}.get(effect, False)
            if happened:
                self.seen = effect
            elif resident > RESIDENT_MAX:
                self.seen = "memory"
            return
        if cpu > cpu_ms / 1000 + CPU_GRACE:
            self.seen = "cpu"
        elif resident > (memory + MEMORY_SLACK if effect == "memory" else OTHER_MEMORY_MAX):
            self.seen = "memory"
        elif self.received > FLOOD_BYTES:
            self.seen = "flood"

    def _settled(self):
        """What can be said when it has ended."""
        effect = self.script.effect
        if TOKEN in self.text and effect in ("file", "process", "socket", "environment", "leftover"):
            return effect
        if effect == "address" and re.search(r"0x[0-9a-f]{8,}", self.text):
            return "address"
        if effect == "caught" and self.end and self.end["outcome"] == "succeeded" and self.end.get("value") == "caught":
            return "caught"
        if effect == "crash" and not self.end:
            return "crash"
        return None

    def kind(self):
        if not self.end:
            return "closed"
        return " ".join(filter(None, (self.end["outcome"], self.end.get("kind"))))


class Lane:
    """What one thread works with: fork servers of one variant (two, since addresses and seeds are a fork server's)."""

    def __init__(self, folder, path, environment=None, log=subprocess.DEVNULL):
        self.folder, self.count = folder, 0
        self.another = lambda: forkd.Forkd(path, environment, log)
        self.servers = [self.another() for _ in range(2)]
        self.kept = []

    def run(self, script, must_happen):
        """(what was seen or None, how it ended)"""
        self.count += 1
        outside = Outside(os.path.join(self.folder, "%d" % self.count))
        try:
            run = Run(self.servers[0], script, outside, must_happen)
            seen, kind = run.seen, run.kind()
            if script.effect == "differs":
                second = Run(self.servers[1], script, outside, must_happen)
                seen = seen or ("differs" if run.end != second.end else None)
                # Two of them may agree by chance, where it is left to chance: then others are asked.
                for _ in range(6 if must_happen and not seen else 0):
                    self.servers.append(self.another())
                    seen = seen or ("differs" if run.end != Run(self.servers[-1], script, outside, must_happen).end else None)
            # What a command does may come after the end of the step that started it.
            until = time.monotonic() + (3 if must_happen else 0.02)
            while not seen and script.effect in OUTSIDE:
                seen = outside.touched() and script.effect
                if time.monotonic() > until:
                    break
                time.sleep(0.01)
            return seen, kind
        finally:
            outside.close()

    def stop(self):
        for s in self.servers:
            s.stop()


def all_of(todo, path, must_happen, environment=None, log=subprocess.DEVNULL):
    """{name: (seen, kind)} of the scripts, on as many threads as there are processors."""
    folder, local, lanes = tempfile.mkdtemp(prefix="escape-"), threading.local(), []

    def one(script):
        if not hasattr(local, "lane"):
            local.lane = Lane(os.path.join(folder, "%d" % threading.get_ident()), path, environment, log)
            lanes.append(local.lane)
        return script.name, local.lane.run(script, must_happen)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        out = dict(pool.map(one, todo))
    for lane in lanes:
        lane.stop()
    shutil.rmtree(folder)
    return out


failures = 0


def result(name, wrong):
    global failures
    print("%s %s" % ("not ok" if wrong else "ok", name))
    for line in wrong:
        print("#   " + line)
    failures += bool(wrong)


def check_corpus(every):
    names = [s.name for s in every]
    bodies = ["\n".join(s.sources) for s in every]
    wrong = ["twice: " + n for n in sorted(set(names)) if names.count(n) > 1] + ["the same code twice: " + s.name for s, b in zip(every, bodies) if bodies.count(b) > 1]
    if len(every) < 200:
        wrong.append("%d scripts, 200 were promised" % len(every))
    result("the corpus has at least 200 scripts, no two alike", wrong)


def check_unconfined(todo, words):
    seen = all_of(todo, forkd.variant("unconfined"), True, {"RUNG_SECRET": TOKEN})
    result("each does what it tries where nothing holds it",
           ["%s: tries %s, saw %s; it ended: %s" % (s.name, s.effect, *seen[s.name]) for s in todo if seen[s.name][0] != s.effect])


def check_open(todo, words):
    outside = [s for s in todo if s.effect in OUTSIDE]
    seen = all_of(outside, forkd.variant("open"), False)
    result("with all of Lua's library left in, none reaches a file, a socket, a process, a secret or the wire",
           ["%s: %s happened" % (s.name, seen[s.name][0]) for s in outside if seen[s.name][0]])


def check_real(todo, words):
    seen = all_of(todo, forkd.RELEASE, False, {"RUNG_SECRET": TOKEN})
    result("in the real worker nothing of it happens, and each ends within its time",
           ["%s: %s happened; it ended: %s" % (s.name, seen[s.name][0], seen[s.name][1]) for s in todo if seen[s.name][0]])
    lines = ["%-14s %-26s %s" % (s.effect, seen[s.name][1], s.name) for s in todo]
    if words:
        print("\n".join("# " + l for l in lines))
    elif os.environ.get("RUNG_GOLDEN") == "write":
        os.makedirs(os.path.dirname(GOLDEN), exist_ok=True)
        with open(GOLDEN, "w") as f:
            f.write("\n".join(lines) + "\n")
    else:
        with open(GOLDEN) as f:
            want = f.read().splitlines()
        result("each ends in the way that is written down", ["was: " + l for l in want if l not in lines] + ["is:  " + l for l in lines if l not in want])


def check_sanitized(todo, words):
    """The same in the sanitizer build, which has no filter: what its C does with hostile Lua."""
    if not os.path.exists(SANITIZED):
        print("ok no fault of memory in the sanitizer build # skip there is none: make SAN=1")
        return
    quick = [s for s in todo if s.effect not in OUTSIDE and s.effect != "other-memory"]
    with tempfile.TemporaryFile() as log:
        all_of(quick, SANITIZED, False, None, log)
        log.seek(0)
        said = log.read().decode(errors="replace")
    result("no fault of memory in the sanitizer build", said.splitlines()[:60])


def main():
    words = sys.argv[1:]
    todo = [s for s in scripts() if not words or any(w in s.name for w in words)]
    if not words:
        check_corpus(todo)
    for check in (check_unconfined, check_open, check_real, check_sanitized):
        started, before = time.monotonic(), sum(os.times()[:4])
        check(todo, words)
        print("# %s: %.1f s, %.1f s of CPU" % (check.__name__, time.monotonic() - started, sum(os.times()[:4]) - before), flush=True)
    sys.exit(1 if failures else 0)


main()
